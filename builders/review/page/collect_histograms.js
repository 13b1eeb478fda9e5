// A histogram of scores with a threshold to drag. Kept bars are filled, the others hatched; triangles are the target's
// own ground truths, crosses those of other speakers.

const HEIGHT = 84;
const BASE = 16;
const MARKS = 11;
const BINS = 64;
const EDGE = 6;

export class Histogram {
  /** act: moved(threshold) while it is dragged, set(threshold) when it is let go. */
  constructor(app, name, act) {
    this.name = name;
    this.act = act;
    this.canvas = app.el("canvas", { class: "histogram", tabindex: "0", role: "slider", "aria-label": `threshold of ${name} scores` });
    this.show([], [], [], null, null);
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(this.canvas);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.redraw = () => this.draw();
    this.scheme.addEventListener("change", this.redraw);
  }

  close() {
    this.watcher.disconnect();
    this.scheme.removeEventListener("change", this.redraw);
  }

  /** Scores to show, own and other ground truths' scores, the threshold, and the calibrated one (or null). */
  show(scores, own, others, threshold, calibrated) {
    Object.assign(this, { scores, own, others, threshold, calibrated });
    const all = [...scores, ...own, ...others, ...(threshold === null ? [] : [threshold])].filter(Number.isFinite);
    const [least, most] = [Math.min(0.5, ...all), Math.max(0.9, ...all)];
    const pad = (most - least) * 0.03;
    this.least = Math.max(-1, least - pad);
    this.most = Math.min(1.02, most + pad);
    this.bins = new Array(BINS).fill(0);
    for (const score of scores) this.bins[Math.min(BINS - 1, Math.max(0, Math.floor(((score - this.least) / (this.most - this.least)) * BINS)))]++;
    this.draw();
  }

  place(threshold) {
    this.threshold = threshold;
    this.canvas.setAttribute("aria-valuenow", threshold ?? "");
    this.draw();
  }

  x(score) {
    return EDGE + ((score - this.least) / (this.most - this.least)) * (this.canvas.clientWidth - 2 * EDGE);
  }

  at(x) {
    const share = (x - EDGE) / (this.canvas.clientWidth - 2 * EDGE);
    const score = this.least + Math.min(1, Math.max(0, share)) * (this.most - this.least);
    return Math.round(Math.min(1, Math.max(-1, score)) * 1000) / 1000;
  }

  press(event) {
    if (event.button || this.threshold === null) return;
    this.canvas.setPointerCapture(event.pointerId);
    const move = (moved) => {
      this.place(this.at(moved.offsetX));
      this.act.moved(this.threshold);
    };
    const stop = () => {
      this.canvas.removeEventListener("pointermove", move);
      this.canvas.removeEventListener("pointerup", stop);
      this.canvas.removeEventListener("pointercancel", stop);
      this.act.set(this.threshold);
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", stop);
    this.canvas.addEventListener("pointercancel", stop);
    move(event);
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const { canvas } = this;
    const width = canvas.clientWidth;
    if (!width) return;
    const scale = devicePixelRatio;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(HEIGHT * scale);
    const pen = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const ink = (name) => style.getPropertyValue(name).trim();
    pen.scale(scale, scale);
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = "middle";
    const floor = HEIGHT - BASE - MARKS;
    this.bars(pen, ink, floor);
    this.truths(pen, ink, floor);
    this.axis(pen, ink);
    if (this.threshold !== null) this.line(pen, ink, width, floor);
  }

  bars(pen, ink, floor) {
    const most = Math.max(1, ...this.bins);
    const each = (this.most - this.least) / BINS;
    const cut = this.threshold === null ? Infinity : this.x(this.threshold);
    const bar = (from, to, top, kept) => {
      if (to <= from) return;
      pen.fillStyle = kept ? ink("--good") : ink("--hatch");
      if (kept) return pen.fillRect(from, top, to - from, floor - top);
      pen.strokeStyle = ink("--hatch");
      pen.lineWidth = 1;
      pen.strokeRect(from + 0.5, top + 0.5, to - from - 1, floor - top);
      for (let y = top + 3; y < floor; y += 4) pen.fillRect(from, y, to - from, 1);
    };
    this.bins.forEach((count, at) => {
      if (!count) return;
      // Square roots: single scores stay visible beside hundreds.
      const top = floor - Math.max(2, Math.sqrt(count / most) * (floor - 16));
      const [from, to] = [this.x(this.least + at * each) + 0.5, this.x(this.least + (at + 1) * each) - 0.5];
      bar(from, Math.min(to, cut), top, false);
      bar(Math.max(from, cut), to, top, true);
    });
    pen.fillStyle = ink("--line");
    pen.fillRect(EDGE, floor, this.canvas.clientWidth - 2 * EDGE, 1);
  }

  truths(pen, ink, floor) {
    const middle = floor + MARKS / 2 + 1;
    pen.strokeStyle = ink("--bad");
    pen.lineWidth = 1.4;
    pen.beginPath();
    for (const score of this.others) {
      const x = this.x(score);
      pen.moveTo(x - 3, middle - 3);
      pen.lineTo(x + 3, middle + 3);
      pen.moveTo(x + 3, middle - 3);
      pen.lineTo(x - 3, middle + 3);
    }
    pen.stroke();
    pen.fillStyle = ink("--accent");
    for (const score of this.own) {
      const x = this.x(score);
      pen.beginPath();
      pen.moveTo(x, middle - 4);
      pen.lineTo(x + 4, middle + 4);
      pen.lineTo(x - 4, middle + 4);
      pen.fill();
    }
  }

  axis(pen, ink) {
    pen.fillStyle = ink("--soft");
    pen.textAlign = "center";
    const step = this.most - this.least > 1 ? 0.25 : 0.1;
    for (let score = Math.ceil(this.least / step) * step; score <= this.most; score += step) {
      const x = this.x(score);
      if (x > 12 && x < this.canvas.clientWidth - 12) pen.fillText(score.toFixed(step < 0.2 ? 1 : 2), x, HEIGHT - BASE / 2);
    }
  }

  line(pen, ink, width, floor) {
    const x = this.x(this.threshold);
    if (this.calibrated !== null && Math.abs(this.calibrated - this.threshold) > 5e-4) {
      pen.strokeStyle = ink("--soft");
      pen.setLineDash([3, 3]);
      pen.beginPath();
      pen.moveTo(this.x(this.calibrated), 16);
      pen.lineTo(this.x(this.calibrated), floor);
      pen.stroke();
      pen.setLineDash([]);
    }
    pen.fillStyle = ink("--mark");
    pen.fillRect(x - 1, 12, 2, floor - 12 + MARKS);
    const text = this.threshold.toFixed(3);
    const wide = pen.measureText(text).width + 10;
    const left = Math.min(Math.max(1, x - wide / 2), width - wide - 1);
    pen.beginPath();
    pen.roundRect(left, 0, wide, 15, 4);
    pen.fill();
    pen.fillStyle = ink("--on-mark");
    pen.textAlign = "center";
    pen.fillText(text, left + wide / 2, 8);
  }
}
