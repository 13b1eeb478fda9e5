// Scores of the video shown: two histograms with thresholds, how much they keep, and what lies nearest to them.

import { Histogram } from "./collect_histograms.js";
import { clock } from "./collect_timeline.js";

const STEP = 0.005;
const NEAR = 5;
const REST = 700;

export class Judge {
  /** act: kept(faces, segments) at each change, set({face, voice}), play(start, end), seek(ms), flushed. */
  constructor(app, act) {
    const { el } = app;
    this.app = app;
    this.act = act;
    this.chosen = "face";
    this.results = null;
    this.asked = 0;
    this.parts = {};
    this.none = el("p", { class: "soft" });
    this.element = el("div", { class: "judge" }, this.none, this.part("face", "Faces", "f"), this.part("voice", "Voice", "v"));
    this.legend = el("p", { class: "legend" }, "▲ the target's marks   ✕ marks of other speakers   ┊ calibrated");
    this.element.append(this.legend);
  }

  part(name, title, key) {
    const { el } = this.app;
    const histogram = new Histogram(this.app, name, {
      moved: (threshold) => this.move(name, threshold),
      set: () => this.put(),
    });
    histogram.canvas.addEventListener("focus", () => this.pick(name));
    const count = el("span", { class: "count" });
    const near = el("div", { class: "near" });
    const head = el("div", { class: "row" }, el("b", {}, title), el("kbd", {}, key), count, el("span", { class: "push soft", title: "k takes the calibrated one" }));
    const element = el("div", { class: `scores ${name}` }, head, histogram.canvas, near);
    this.parts[name] = { histogram, count, near, element, how: head.lastChild };
    return element;
  }

  close() {
    clearTimeout(this.resting);
    for (const part of Object.values(this.parts)) part.histogram.close();
  }

  /** The scores of a video; `base` is its address. */
  async load(base, detail) {
    this.base = base;
    this.detail = detail;
    const results = await this.app.get(`${base}/results`).catch((error) => ({ problem: error.message }));
    if (this.base !== base) return;
    this.results = results?.faces ? results : null;
    this.none.hidden = Boolean(this.results);
    this.none.textContent = results?.problem || (this.act.ready() ? "No scores yet: press d to look for this person in the video." : "No scores yet. Mark faces and a period, then detect.");
    for (const part of Object.values(this.parts)) part.element.hidden = !this.results;
    this.legend.hidden = !this.results;
    if (!this.results) return this.act.kept([], []);
    this.none.hidden = !results.problem;
    this.marked = { ...results.marked };
    const set = (name) => results.marked[name] ?? results.given[name].value ?? 0.5;
    this.thresholds = { face: set("face"), voice: set("voice") };
    this.fates = null;
    this.segments = [];
    const scores = { face: results.faces.map((face) => face.score), voice: results.voice.scores };
    for (const name of ["face", "voice"]) {
      this.parts[name].histogram.show(scores[name], results.own[name], results.others[name], this.thresholds[name], results.given[name].value);
    }
    this.frame();
    this.draw();
    await this.look();
  }

  refresh() {
    return this.detail ? this.load(this.base, this.detail) : null;
  }

  pick(name) {
    this.chosen = name;
    this.frame();
  }

  frame() {
    for (const [name, part] of Object.entries(this.parts)) part.element.classList.toggle("here", name === this.chosen);
  }

  nudge(by) {
    if (!this.results) return this.app.say("no scores yet");
    const now = this.thresholds[this.chosen] ?? 0.5;
    const next = Math.round(Math.min(1, Math.max(-1, now + by * STEP)) * 1000) / 1000;
    this.parts[this.chosen].histogram.place(next);
    this.move(this.chosen, next);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.put(), REST);
  }

  calibrated() {
    if (!this.results) return;
    const { value, how } = this.results.given[this.chosen];
    if (value === null) return this.app.say(how, "error");
    this.move(this.chosen, value);
    this.parts[this.chosen].histogram.place(value);
    this.marked[this.chosen] = null;
    this.put();
  }

  move(name, threshold) {
    if (name !== this.chosen) this.pick(name);
    this.thresholds[name] = this.marked[name] = threshold;
    this.fates = null;
    this.draw();
    this.look();
  }

  /** Put the thresholds on record, once the hand rests. */
  put() {
    clearTimeout(this.resting);
    this.resting = 0;
    return this.act.set({ ...this.marked });
  }

  flush() {
    return this.resting ? this.put() : null;
  }

  /** Ask the server what the thresholds keep: it thins near-duplicates and runs the algorithm on the scores it has. */
  async look() {
    if (this.looking) return (this.again = true);
    this.looking = true;
    do {
      this.again = false;
      const { base } = this;
      const kept = await this.app.get(`${base}/effect`, this.thresholds).catch((error) => this.app.say(error.message, "error"));
      if (this.again || !kept || base !== this.base) continue;
      this.fates = kept.faces;
      this.segments = kept.segments.map(([start, end, score]) => ({ start, end, score }));
      this.draw();
    } while (this.again);
    this.looking = false;
  }

  /** What the thresholds keep: counts, the timeline, and what lies just above and just below. */
  draw() {
    const { faces, voice } = this.results;
    const above = (one) => one.score > this.thresholds.face;
    const shown = faces.map((one) => ({ ...one, above: above(one), kept: this.fates ? this.fates[one.number] === 0 : above(one) }));
    const kept = shown.filter((one) => one.kept).length;
    const alike = this.fates ? shown.filter((one) => this.fates[one.number] === 3).length : 0;
    const seconds = this.segments.reduce((sum, one) => sum + one.end - one.start, 0) / 1000;
    this.parts.face.count.textContent = `keeps ${this.fates ? "" : "up to "}${kept} of ${faces.length}${alike ? `, ${alike} alike thinned` : ""}`;
    const count = this.segments.length;
    this.parts.voice.count.textContent = `keeps ${count} segment${count === 1 ? "" : "s"}, ${seconds.toFixed(1)} of ${(voice.length_ms / 1000).toFixed(1)} s`;
    for (const name of ["face", "voice"]) {
      const given = this.results.given[name];
      this.parts[name].how.textContent = this.marked[name] === null ? (given.how.startsWith("calibrated") ? "calibrated" : "default") : "set by hand";
      this.parts[name].how.title = this.marked[name] === null ? given.how : `k goes back: ${given.how}`;
    }
    this.nearFaces(shown);
    this.nearVoice();
    this.act.kept(shown, this.segments);
  }

  nearFaces(shown) {
    const sorted = [...shown].sort((a, b) => a.score - b.score);
    const first = sorted.findIndex((one) => one.above);
    const cut = first < 0 ? sorted.length : first;
    const [below, above] = [sorted.slice(Math.max(0, cut - NEAR), cut), sorted.slice(cut, cut + NEAR)];
    const key = JSON.stringify([below, above].map((side) => side.map((one) => one.number)));
    if (this.nearest === key && this.parts.face.near.childElementCount) return;
    this.nearest = key;
    const { el } = this.app;
    this.parts.face.near.replaceChildren(
      el("div", { class: "side below" }, ...below.map((one) => this.thumb(one)), below.length ? null : el("small", {}, "none below")),
      el("div", { class: "side above" }, ...above.map((one) => this.thumb(one)), above.length ? null : el("small", {}, "none above")),
    );
  }

  thumb(face) {
    const { el } = this.app;
    return el(
      "button",
      { type: "button", class: "thumb", title: `${face.score.toFixed(3)} at ${clock(face.ms, 1)}: go there`, onclick: () => this.act.seek(face.ms) },
      el("img", { loading: "lazy", src: `${this.base}/crop/${face.number}.jpg?v=${this.detail.version}`, alt: `face with score ${face.score.toFixed(3)}` }),
      el("small", {}, face.score.toFixed(2)),
    );
  }

  /** The weakest segments kept, each to be heard. */
  nearVoice() {
    const { el } = this.app;
    this.weakest = [...this.segments].sort((a, b) => a.score - b.score).slice(0, 3);
    this.parts.voice.near.replaceChildren(
      el("small", {}, this.weakest.length ? "weakest" : "nothing is kept"),
      ...this.weakest.map((one) =>
        el("button", { type: "button", class: "hear", title: `${clock(one.start, 1)} to ${clock(one.end, 1)}: hear it`, onclick: () => this.act.play(one.start, one.end) }, `▸ ${clock(one.start, 1)} `, el("small", {}, one.score.toFixed(2))),
      ),
    );
  }

  hear() {
    const weakest = this.results && this.weakest[0];
    if (weakest) this.act.play(weakest.start, weakest.end);
    else this.app.say("no segment to hear");
  }
}
