// Frames of clips fetched one by one, decoded ahead of time, shown at their rate on the clock of a sound.

const AHEAD = 24;
const KEPT = 72;

/** Decoded frames of one stream; address(n) gives the picture of frame n, from 1. */
class Frames {
  constructor(address, count) {
    this.address = address;
    this.count = count;
    this.ready = new Map();
    this.asked = new Map();
    this.closed = false;
  }

  /** The bitmap of frame n, or null where there is none. */
  get(n) {
    if (this.ready.has(n)) return Promise.resolve(this.ready.get(n));
    if (!this.asked.has(n)) this.asked.set(n, this.fetch(n).finally(() => this.asked.delete(n)));
    return this.asked.get(n);
  }

  async fetch(n) {
    const address = n >= 1 && n <= this.count ? this.address(n) : null;
    if (!address) return null;
    const answer = await fetch(address);
    if (!answer.ok) return null;
    const bitmap = await createImageBitmap(await answer.blob());
    if (this.closed) return bitmap.close(), null;
    this.ready.set(n, bitmap);
    for (const [old, gone] of this.ready) {
      if (this.ready.size <= KEPT) break;
      if (old !== n) this.ready.delete(old), gone.close();
    }
    return bitmap;
  }

  close() {
    this.closed = true;
    for (const bitmap of this.ready.values()) bitmap.close();
    this.ready.clear();
  }
}

/** A clip of several streams: draw(n, bitmaps) is called for every frame shown. */
export class Player {
  constructor({ count, fps, streams, sound, draw, changed }) {
    Object.assign(this, { count, fps, draw, changed });
    this.streams = Object.fromEntries(Object.entries(streams).map(([name, address]) => [name, new Frames(address, count)]));
    this.audio = sound ? new Audio(sound) : null;
    if (this.audio) this.audio.preload = "auto";
    this.frame = 1;
    this.shown = 0;
    this.playing = false;
  }

  /** Show frame n when its pictures are there, unless another was asked for meanwhile. */
  async show(n) {
    this.frame = Math.min(this.count, Math.max(1, n));
    const wanted = this.frame;
    this.changed(wanted);
    const names = Object.keys(this.streams);
    const bitmaps = await Promise.all(names.map((name) => this.streams[name].get(wanted)));
    if (wanted !== this.frame || this.closed) return;
    this.shown = wanted;
    this.draw(wanted, Object.fromEntries(names.map((name, at) => [name, bitmaps[at]])));
    if (!this.playing) this.ahead(wanted, 3);
  }

  ahead(n, many = AHEAD) {
    for (let next = n + 1; next <= Math.min(this.count, n + many); next++) {
      for (const frames of Object.values(this.streams)) if (!frames.closed) frames.get(next).catch(() => null);
    }
  }

  async play() {
    if (this.playing || this.closed) return;
    this.playing = true;
    const from = this.frame >= this.count ? 1 : this.frame;
    this.ahead(from - 1);
    await Promise.all(Object.values(this.streams).map((frames) => frames.get(from)));
    if (this.audio) {
      this.audio.currentTime = (from - 1) / this.fps;
      await this.audio.play().catch(() => (this.audio = null));
    }
    const began = performance.now() - ((from - 1) / this.fps) * 1000;
    const tick = () => {
      if (!this.playing || this.closed) return;
      const seconds = this.audio ? this.audio.currentTime : (performance.now() - began) / 1000;
      const now = Math.floor(seconds * this.fps + 1e-6) + 1;
      if (now > this.count || this.audio?.ended) return this.pause(this.count);
      if (now !== this.frame) {
        this.ahead(now);
        // A frame that is not there yet is passed over: the sound goes on.
        if (Object.values(this.streams).every((frames) => frames.ready.has(now))) this.show(now);
        else this.changed((this.frame = now));
      }
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.changed(this.frame);
  }

  pause(at = this.frame) {
    this.playing = false;
    this.audio?.pause();
    return this.show(at);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  close() {
    this.closed = true;
    this.playing = false;
    if (this.audio) {
      this.audio.pause();
      this.audio.removeAttribute("src");
      this.audio.load();
    }
    for (const frames of Object.values(this.streams)) frames.close();
  }
}
