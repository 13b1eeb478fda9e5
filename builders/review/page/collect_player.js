import { clock } from "./collect_timeline.js";

// The player: the video itself, single frames and faces from the server, spans played to their end.

/** Events go to act: moved(ms) at every change of place, started(), stopped(), chosen(ms, box), failed(text). */
export class Player {
  constructor(app, act) {
    this.app = app;
    this.act = act;
    this.video = app.el("video", { preload: "auto", playsinline: true, tabindex: "-1" });
    this.still = app.el("img", { class: "still", alt: "", hidden: true });
    this.boxes = app.el("div", { class: "boxes" });
    this.note = app.el("p", { class: "note", hidden: true });
    this.element = app.el("div", { class: "frame" }, this.video, this.still, this.boxes, this.note);
    this.until = null;
    this.plays = true;
    this.place = 0;
    this.video.addEventListener("seeked", () => this.tell());
    this.video.addEventListener("timeupdate", () => this.tell());
    this.video.addEventListener("pause", () => this.act.stopped());
    this.video.addEventListener("play", () => this.follow() || this.act.started());
    this.video.addEventListener("click", () => this.toggle());
    this.video.addEventListener("error", () => this.video.getAttribute("src") && this.fallBack());
  }

  close() {
    cancelAnimationFrame(this.following);
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
    this.sound?.pause();
  }

  /** Show a video at a moment: `base` is its address on the server, `detail` what the server knows of it. */
  load(base, detail, ms) {
    this.cancel();
    this.base = base;
    this.version = detail.version;
    this.facts = detail.facts;
    this.plays = true;
    this.until = null;
    this.place = ms;
    this.still.hidden = true;
    this.note.hidden = !detail.facts.problem;
    this.note.textContent = detail.facts.problem ? `This file cannot be read: ${detail.facts.problem}` : "";
    this.element.style.aspectRatio = `${detail.facts.width || 16} / ${detail.facts.height || 9}`;
    this.element.style.setProperty("--ratio", (detail.facts.width || 16) / (detail.facts.height || 9));
    if (detail.facts.problem) return this.video.removeAttribute("src");
    this.video.src = `${base}/file?v=${detail.version}`;
    this.video.currentTime = ms / 1000;
  }

  get frame() {
    return 1000 / (this.facts?.frames_per_second || 25);
  }

  get length() {
    return (this.facts?.seconds || 0) * 1000;
  }

  get ms() {
    return this.plays && this.video.readyState ? Math.round(this.video.currentTime * 1000) : this.place;
  }

  get playing() {
    return this.plays && !this.video.paused;
  }

  seek(ms) {
    this.cancel();
    this.until = null;
    this.place = Math.round(Math.min(Math.max(0, ms), Math.max(0, this.length - 1)));
    if (this.plays) this.video.currentTime = this.place / 1000;
    else this.drawStill(this.place);
    this.act.moved(this.place);
  }

  /** Whole frames on or back; the playhead comes to lie in the middle of a frame. */
  step(frames) {
    this.pause();
    const now = Math.floor(this.ms / this.frame + 1e-6);
    this.seek((now + frames + 0.5) * this.frame);
  }

  toggle() {
    if (this.boxes.childElementCount) return this.cancel();
    if (!this.plays) return this.hear(this.place, Math.min(this.length, this.place + 30000));
    this.until = null;
    if (this.video.paused) this.start();
    else this.video.pause();
  }

  pause() {
    if (this.plays) this.video.pause();
    this.sound?.pause();
  }

  start() {
    this.cancel();
    // Refused where another call pauses it first, or where the file does not play: then `error` tells.
    this.video.play().catch(() => {});
  }

  /** Play [start, end) and stay at its end. */
  span(start, end) {
    this.cancel();
    if (!this.plays) return this.hear(start, end);
    this.video.currentTime = start / 1000;
    this.until = end;
    this.start();
  }

  hear(start, end) {
    this.sound?.pause();
    this.sound = new Audio(`${this.base}/sound/${Math.round(start)}_${Math.round(Math.min(end, start + 600000))}.wav?v=${this.version}`);
    this.sound.play().catch((error) => this.act.failed(error.message));
  }

  follow() {
    const tick = () => {
      if (this.video.paused) return;
      if (this.until !== null && this.video.currentTime * 1000 >= this.until) {
        const end = this.until;
        this.until = null;
        this.video.pause();
        this.video.currentTime = end / 1000;
      }
      this.tell();
      this.following = requestAnimationFrame(tick);
    };
    cancelAnimationFrame(this.following);
    this.following = requestAnimationFrame(tick);
  }

  tell() {
    if (!this.plays) return;
    this.place = Math.round(this.video.currentTime * 1000);
    this.act.moved(this.place);
  }

  /** The browser does not play this file: frames come from the server, sound as WAV. */
  fallBack() {
    this.plays = false;
    this.note.hidden = false;
    this.note.textContent = "This browser does not play this file; frames and sound come from the server.";
    this.drawStill(this.place);
  }

  drawStill(ms) {
    this.still.hidden = false;
    this.still.src = `${this.base}/frame/${ms}.jpg?v=${this.version}`;
  }

  /** Show the frame at this moment with a numbered box around each of its faces; resolves to how many there are. */
  async faces() {
    this.pause();
    const ms = this.ms;
    this.seek(ms);
    this.drawStill(ms);
    this.element.classList.add("busy");
    try {
      const found = await this.app.get(`${this.base}/faces/${ms}`);
      if (this.ms !== ms || this.still.hidden) return 0;
      this.found = { ms, ...found };
      this.boxes.replaceChildren(...found.faces.map((face, at) => this.box(face, at, found)));
      if (!found.faces.length) this.cancel();
      return found.faces.length;
    } finally {
      this.element.classList.remove("busy");
    }
  }

  box(face, at, { width, height }) {
    const [left, top, wide, high] = face.box;
    const made = this.app.el(
      "button",
      { type: "button", title: `this face, confidence ${face.score.toFixed(3)}`, onclick: () => this.choose(at) },
      this.app.el("b", {}, String(at + 1)),
    );
    const share = { left: left / width, top: top / height, width: wide / width, height: high / height };
    for (const [name, value] of Object.entries(share)) made.style[name] = `${100 * value}%`;
    return made;
  }

  get choosing() {
    return this.boxes.childElementCount > 0;
  }

  choose(at) {
    const face = this.found?.faces[at];
    if (!face) return;
    const { ms } = this.found;
    this.cancel();
    this.act.chosen(ms, face.box);
  }

  /** Away with the boxes. */
  cancel() {
    this.found = null;
    this.boxes.replaceChildren();
    if (this.plays) this.still.hidden = true;
  }
}

/** The buttons under the player: play, the place, frames on and back, the ends of the period, zoom. */
export class Transport {
  constructor(app, player, act) {
    const { el } = app;
    this.play = el("button", { type: "button", class: "play", onclick: () => player.toggle() }, "▶");
    this.place = el("span", { class: "mono place" });
    const button = (text, title, go) => el("button", { type: "button", class: "plain", title, "aria-label": title, onclick: go }, text);
    this.element = el(
      "div",
      { class: "transport row" },
      this.play,
      button("‹", "one frame back (left arrow)", () => player.step(-1)),
      button("›", "one frame on (right arrow)", () => player.step(1)),
      this.place,
      el("span", { class: "push row" },
        button("[ start", "the period starts here ([)", () => act.setEnd("start")),
        button("end ]", "the period ends here (])", () => act.setEnd("end")),
        button("−", "wider (s)", () => act.zoom(2)), button("+", "closer (z)", () => act.zoom(0.5)), button("all", "the whole video", act.whole)),
    );
    this.playing(false);
  }

  playing(on) {
    this.play.textContent = on ? "❚❚" : "▶";
    this.play.title = on ? "pause (space)" : "play (space)";
    this.play.setAttribute("aria-label", this.play.title);
  }

  now(ms, length) {
    this.place.textContent = `${clock(ms, 3)} / ${clock(length, 0)}`;
  }
}
