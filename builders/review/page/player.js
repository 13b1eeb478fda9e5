// Frames of clips fetched one by one, decoded ahead of time, shown at their rate on the clock of a sound.

const AHEAD = 28;
const KEPT = 96;
const REST = 400;

/** Decoded frames of one stream; address(n) gives the picture of frame n, from 1. */
class Frames {
  constructor(address, count) {
    this.address = address;
    this.count = count;
    this.ready = new Map();
    this.asked = new Map();
    this.closed = false;
  }

  /** The bitmap of frame n, or null where there is none, or when it came too late. */
  get(n) {
    if (this.ready.has(n)) return Promise.resolve(this.ready.get(n));
    if (!this.asked.has(n)) {
      const stop = new AbortController();
      const bitmap = this.fetch(n, stop.signal).catch(() => null).finally(() => this.asked.delete(n));
      this.asked.set(n, { bitmap, stop });
    }
    return this.asked.get(n).bitmap;
  }

  async fetch(n, signal) {
    const address = n >= 1 && n <= this.count ? this.address(n) : null;
    if (!address) return null;
    const answer = await fetch(address, { signal });
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

  /** Give up on frames before n that are not here yet, so that later ones come sooner. */
  passed(n) {
    for (const [number, { stop }] of this.asked) if (number < n) stop.abort();
  }

  close() {
    this.closed = true;
    this.passed(Infinity);
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
    if (this.playing) return;
    this.ahead(wanted, 2);
    // Whoever stays with a clip is likely to play it.
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.closed || this.playing || this.ahead(this.frame), REST);
  }

  ahead(n, many = AHEAD) {
    for (let next = n + 1; next <= Math.min(this.count, n + many); next++) {
      for (const frames of Object.values(this.streams)) frames.get(next);
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
        this.frame = now;
        // A picture that is not there yet is passed over: the sound goes on.
        const ready = Object.entries(this.streams).filter(([, frames]) => frames.ready.has(now));
        for (const frames of Object.values(this.streams)) frames.passed(now);
        if (ready.length) this.draw((this.shown = now), Object.fromEntries(ready.map(([name, frames]) => [name, frames.ready.get(now)])));
        this.changed(now);
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
