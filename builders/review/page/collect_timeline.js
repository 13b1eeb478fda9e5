// The timeline of a video: ruler, waveform with the marked period, kept voice segments, faces, playhead.
//
// Times are milliseconds. The span shown is [from, to); the wheel zooms about the pointer, a drag on the waveform marks a
// period, a drag of one of its ends moves that end, a click seeks, a click on a segment plays it.

const RULER = 17;
const WAVE = 84;
const VOICE = 22;
const FACES = 20;
const GRIP = 7;
const LABELS = 46;
const LEAST_SPAN = 2000;
const NICE = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 15000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000];

export const clock = (ms, digits = 0) => {
  const total = Math.max(0, ms) / 1000;
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor(total / 60) % 60;
  const rest = (Math.floor((total % 60) * 10 ** digits) / 10 ** digits).toFixed(digits).padStart(digits ? 3 + digits : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
};

export class Timeline {
  /** ask(from, to, pixels) resolves to [[low, high], ...]; act has seek(ms), mark(start, end, done) and play(start, end). */
  constructor(app, ask, act) {
    this.ask = ask;
    this.act = act;
    this.height = RULER + WAVE + VOICE + FACES + 4;
    this.canvas = app.el("canvas", { class: "timeline", tabindex: "0", role: "img", "aria-label": "waveform, period, segments and faces over time" });
    this.length = 1;
    this.from = 0;
    this.to = 1;
    this.at = 0;
    this.peaks = null;
    this.period = null;
    this.end = "";
    this.segments = [];
    this.faces = [];
    this.shots = [];
    this.hint = "";
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
  }

  close() {
    this.watcher.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
  }

  /** Another video: its length in ms, and what is marked. */
  show(length, sound) {
    Object.assign(this, { length: Math.max(1, length), from: 0, to: Math.max(1, length), at: 0, peaks: null, period: null });
    Object.assign(this, { segments: [], faces: [], shots: [], hint: sound ? "" : "no sound track" });
    this.load();
    this.draw();
  }

  resize() {
    const width = this.canvas.clientWidth;
    if (!width || width === this.width) return;
    this.width = width;
    this.load();
    this.draw();
  }

  x(ms) {
    return LABELS + ((ms - this.from) / (this.to - this.from)) * (this.width - LABELS);
  }

  ms(x) {
    const share = (x - LABELS) / (this.width - LABELS);
    return Math.round(Math.min(this.length, Math.max(0, this.from + share * (this.to - this.from))));
  }

  async load() {
    if (!this.width || this.hint) return;
    const [from, to] = [this.from, this.to];
    const pixels = Math.min(4096, Math.round((this.width - LABELS) * devicePixelRatio));
    const asked = (this.asked = Symbol("waveform"));
    try {
      const peaks = await this.ask(Math.round(from), Math.max(Math.round(to), Math.round(from) + 1), pixels);
      if (asked === this.asked) this.peaks = { from, to, pixels, rows: peaks };
    } catch (error) {
      if (asked === this.asked) this.hint = error.message;
    }
    this.draw();
  }

  /** Show [from, to), kept inside the video. */
  span(from, to) {
    const length = Math.min(this.length, Math.max(LEAST_SPAN, to - from));
    this.from = Math.min(Math.max(0, from), this.length - length);
    this.to = this.from + length;
    clearTimeout(this.loading);
    this.loading = setTimeout(() => this.load(), 60);
    this.draw();
  }

  zoom(factor, about = this.at) {
    this.span(about - (about - this.from) * factor, about + (this.to - about) * factor);
  }

  /** The playhead; the span shown goes with it. */
  move(ms) {
    this.at = ms;
    if (this.dragging || this.to - this.from >= this.length) return this.draw();
    if (ms < this.from || ms > this.to) {
      const length = this.to - this.from;
      return this.span(ms - length * 0.1, ms + length * 0.9);
    }
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const length = this.to - this.from;
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) this.span(this.from + (sideways / 500) * length, this.to + (sideways / 500) * length);
    else this.zoom(1.0015 ** event.deltaY, this.ms(event.offsetX));
  }

  /** What lies under the pointer: an end of the period, a segment, a face, or just a moment. */
  under(event) {
    const { offsetX: x, offsetY: y } = event;
    const [wave, voice, faces] = [RULER, RULER + WAVE, RULER + WAVE + VOICE];
    if (y >= wave && y < voice && this.period) {
      for (const end of ["end", "start"]) if (Math.abs(this.x(this.period[end]) - x) <= GRIP) return { end };
    }
    if (y >= voice && y < faces) return { segment: this.segments.find((s) => x >= this.x(s.start) && x < this.x(s.end)) };
    if (y >= faces) {
      const near = this.faces.filter((face) => Math.abs(this.x(face.ms) - x) <= 4);
      return { face: near.sort((a, b) => Math.abs(this.x(a.ms) - x) - Math.abs(this.x(b.ms) - x))[0] };
    }
    return { wave: y >= wave };
  }

  hover(event) {
    const found = this.under(event);
    this.canvas.style.cursor = found.end ? "ew-resize" : found.segment || found.face ? "pointer" : found.wave ? "crosshair" : "default";
    const { segment, face } = found;
    this.canvas.title = segment
      ? `${clock(segment.start, 1)} to ${clock(segment.end, 1)}, score ${segment.score.toFixed(3)}: click to hear`
      : face
        ? `face at ${clock(face.ms, 1)}, score ${face.score.toFixed(3)}${face.kept ? "" : ", left out"}`
        : "";
  }

  press(event) {
    if (event.button) return;
    const found = this.under(event);
    if (found.segment) return this.act.play(found.segment.start, found.segment.end);
    if (found.face) return this.act.seek(found.face.ms);
    if (!found.end && !found.wave) return this.act.seek(this.ms(event.offsetX));
    this.canvas.setPointerCapture(event.pointerId);
    const began = event.offsetX;
    const fixed = found.end === "start" ? this.period.end : found.end === "end" ? this.period.start : this.ms(began);
    this.dragging = false;
    const move = (moved) => {
      if (!this.dragging && Math.abs(moved.offsetX - began) < 4) return;
      this.dragging = true;
      const there = this.ms(moved.offsetX);
      this.end = there < fixed ? "start" : "end";
      this.act.mark(Math.min(fixed, there), Math.max(fixed, there), false);
    };
    const stop = (released) => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", stop);
      this.canvas.removeEventListener("pointercancel", stop);
      if (this.dragging) this.act.mark(this.period.start, this.period.end, true);
      else if (!found.end) this.act.seek(this.ms(released.offsetX));
      this.dragging = false;
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", stop);
    this.canvas.addEventListener("pointercancel", stop);
  }

  draw() {
    if (this.drawing || !this.width) return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.paint();
    });
  }

  paint() {
    const { canvas, width, height } = this;
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(name).trim();
    pen.scale(scale, scale);
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    this.ruler(pen, ink);
    this.wave(pen, ink);
    this.rows(pen, ink);
    pen.fillStyle = ink("--mark");
    const at = this.x(this.at);
    if (at >= LABELS) {
      pen.fillRect(at - 0.75, 4, 1.5, height - 6);
      pen.beginPath();
      pen.moveTo(at - 5, 1);
      pen.lineTo(at + 5, 1);
      pen.lineTo(at, 9);
      pen.fill();
    }
  }

  ruler(pen, ink) {
    const step = NICE.find((one) => (one / (this.to - this.from)) * (this.width - LABELS) > 62) || NICE.at(-1);
    pen.fillStyle = ink("--soft");
    pen.textAlign = "left";
    for (let ms = Math.ceil(this.from / step) * step; ms < this.to; ms += step) {
      pen.fillRect(this.x(ms), 5, 1, RULER - 7);
      pen.fillText(clock(ms, step < 100 ? 2 : step < 1000 ? 1 : 0), this.x(ms) + 4, RULER / 2);
    }
  }

  wave(pen, ink) {
    const middle = RULER + WAVE / 2;
    pen.fillStyle = ink("--well");
    pen.fillRect(LABELS, RULER, this.width - LABELS, WAVE);
    pen.save();
    pen.beginPath();
    pen.rect(LABELS, RULER, this.width - LABELS, WAVE);
    pen.clip();
    if (this.period) {
      const [start, end] = [this.x(this.period.start), this.x(this.period.end)];
      pen.fillStyle = ink("--band");
      pen.fillRect(start, RULER, end - start, WAVE);
    }
    pen.fillStyle = ink("--wave");
    const peaks = this.peaks;
    if (peaks?.rows.length) {
      const each = (peaks.to - peaks.from) / peaks.pixels;
      const wide = Math.max(1 / devicePixelRatio, (each / (this.to - this.from)) * (this.width - LABELS));
      peaks.rows.forEach(([low, high], at) => {
        const top = middle - (high / 128) * (WAVE / 2 - 3);
        const bottom = middle - (low / 128) * (WAVE / 2 - 3);
        pen.fillRect(this.x(peaks.from + at * each), top, wide, Math.max(1, bottom - top));
      });
    } else {
      pen.fillStyle = ink("--soft");
      pen.textAlign = "center";
      const text = this.hint || (peaks ? "no sound" : "reading the sound …");
      pen.fillText(text, LABELS + (this.width - LABELS) / 2, middle);
    }
    if (this.period) this.ends(pen, ink);
    pen.restore();
  }

  ends(pen, ink) {
    for (const end of ["start", "end"]) {
      const x = this.x(this.period[end]);
      const inward = end === "start" ? 1 : -1;
      pen.fillStyle = ink("--accent");
      pen.fillRect(x - 1, RULER, 2, WAVE);
      pen.fillRect(x, RULER, inward * (this.end === end ? 9 : 6), 3);
      pen.fillRect(x, RULER + WAVE - 3, inward * (this.end === end ? 9 : 6), 3);
      if (this.end !== end) continue;
      pen.beginPath();
      pen.arc(x, RULER + WAVE / 2, 5, 0, 7);
      pen.fill();
    }
  }

  rows(pen, ink) {
    const voice = RULER + WAVE + 3;
    const faces = RULER + WAVE + VOICE + 1;
    pen.fillStyle = ink("--soft");
    pen.textAlign = "right";
    pen.fillText("sound", LABELS - 6, RULER + WAVE / 2);
    pen.fillText("voice", LABELS - 6, voice + (VOICE - 6) / 2);
    pen.fillText("faces", LABELS - 6, faces + FACES / 2);
    pen.save();
    pen.beginPath();
    pen.rect(LABELS, voice - 3, this.width, VOICE + FACES + 6);
    pen.clip();
    pen.fillStyle = ink("--well");
    pen.fillRect(LABELS, voice, this.width - LABELS, VOICE - 6);
    for (const segment of this.segments) {
      const [start, end] = [this.x(segment.start), this.x(segment.end)];
      if (end < LABELS || start > this.width) continue;
      pen.fillStyle = ink("--good");
      pen.fillRect(start + 0.5, voice, Math.max(1, end - start - 1), VOICE - 6);
    }
    for (const face of this.faces) this.dot(pen, ink, face, faces + FACES / 2);
    pen.fillStyle = ink("--accent");
    for (const shot of this.shots) {
      const x = this.x(shot.ms);
      pen.beginPath();
      pen.moveTo(x, faces);
      pen.lineTo(x + 4, faces + 7);
      pen.lineTo(x - 4, faces + 7);
      pen.fill();
    }
    pen.restore();
  }

  /** A kept face is a full bar; one left out a short hollow one, so that both are told apart without colour. */
  dot(pen, ink, face, middle) {
    const x = this.x(face.ms);
    if (x < LABELS - 2 || x > this.width) return;
    pen.fillStyle = ink(face.kept ? "--good" : "--soft");
    if (face.kept) pen.fillRect(x - 1, middle - 5, 2.5, 12);
    else pen.fillRect(x - 0.5, middle + 3, 1.5, 4);
  }
}
