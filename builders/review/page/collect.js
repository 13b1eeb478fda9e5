// Collect faces and voices from videos of single talkers: screenshots, a period, detection, thresholds, a verdict.

import { Judge } from "./collect_judge.js";
import { Panel } from "./collect_panel.js";
import { People } from "./collect_people.js";
import { Player, Transport } from "./collect_player.js";
import { Timeline } from "./collect_timeline.js";

const NUDGE_WAIT = 700;
let app, state, detail, player, timeline, people, judge, panel, transport, polling, waiting, keeping;
let edge = "end";
let reloads = 0;

const base = () => `/api/collect/videos/${detail.id}`;
const person = () => state.people.find((one) => one.folder === detail?.person);

async function say(act) {
  try {
    return await act();
  } catch (error) {
    app.say(error.message, "error");
    return null;
  }
}

// --- marks ---

/** Put one mark on record; the page shows what the server answers. */
async function mark(about, value, video = detail.id) {
  const answer = await say(() => app.post("/api/collect/mark", { video, about, value }, true));
  if (!answer) return detail && reload();
  state = answer.state;
  await reload();
  app.count();
  return answer;
}

async function reload() {
  const { id } = detail;
  const asked = ++reloads;
  const fresh = await say(() => app.get(`/api/collect/videos/${id}`));
  // An answer that a later question overtook is old.
  if (!fresh || detail.id !== id || asked !== reloads) return;
  detail = fresh;
  drawMarks();
}

async function undo() {
  await flush();
  const answer = await say(() => app.post("/api/collect/undo"));
  if (!answer) return;
  if (!answer.mark) return app.say("nothing to undo");
  state = answer.state;
  app.say(`taken back: ${answer.mark.about}`);
  if (answer.mark.id && answer.mark.id !== detail?.id) await show(answer.mark.id);
  else if (detail) await reload();
  if (answer.mark.about === "thresholds") await judge.refresh();
  app.count();
}

/** A period being dragged or nudged is put on record when the hand rests. */
function period(start, end, done) {
  timeline.period = { start: Math.round(start), end: Math.round(end) };
  timeline.draw();
  drawPeriod();
  clearTimeout(waiting);
  waiting = 0;
  if (done) return flush(true);
}

async function flush(now = Boolean(waiting)) {
  clearTimeout(waiting);
  waiting = 0;
  if (!now || !detail || !timeline.period) return;
  const { start, end } = timeline.period;
  if (end - start < state.least.period_ms) {
    app.say(`${((end - start) / 1000).toFixed(1)} s: a period takes ${state.least.period_ms / 1000} s or more`, "error");
    return;
  }
  if (detail.period?.start_ms === start && detail.period?.end_ms === end) return;
  await mark("period", { start_ms: start, end_ms: end });
}

function setEnd(which) {
  const here = player.ms;
  const now = timeline.period || { start: here, end: Math.min(player.length, here + state.least.period_ms) };
  edge = timeline.end = which;
  const next = { ...now, [which]: here };
  if (next.end - next.start < state.least.period_ms) {
    if (which === "start") next.end = Math.min(Math.floor(player.length), next.start + state.least.period_ms);
    else next.start = Math.max(0, next.end - state.least.period_ms);
  }
  period(next.start, next.end, true);
}

function nudge(frames) {
  if (!timeline.period) return app.say("no period yet: drag on the waveform, or press [ where it begins", "error");
  timeline.end = edge;
  const there = Math.round(Math.min(Math.max(0, timeline.period[edge] + frames * player.frame), Math.floor(player.length)));
  const next = { ...timeline.period, [edge]: there };
  if (next.end - next.start < state.least.period_ms) return app.say(`a period takes ${state.least.period_ms / 1000} s or more`, "error");
  period(next.start, next.end, false);
  player.seek(there);
  waiting = setTimeout(() => flush(true), NUDGE_WAIT);
}

function otherEnd() {
  edge = edge === "end" ? "start" : "end";
  timeline.end = edge;
  if (timeline.period) player.seek(timeline.period[edge]);
  drawPeriod();
  timeline.draw();
}

const playPeriod = () => (timeline.period ? player.span(timeline.period.start, timeline.period.end) : app.say("no period yet"));

async function capture() {
  if (player.choosing) return player.choose(0);
  if (detail.facts.problem) return app.say(detail.facts.problem, "error");
  app.say("looking for faces …");
  const count = await say(() => player.faces());
  if (count === 0) app.say("the detector finds no face in this frame: try another one", "error");
  else if (count === 1) app.say("one face: press c, 1 or click to take it, esc to leave it");
  else if (count) app.say(`${count} faces: press the number of the talker's, or click it`);
}

// --- detection ---

async function detect(everyone = false) {
  await flush();
  panel.run({ running: true, done: 0, kind: "scores", total: 1, share: 0, seconds: 0, words: {}, error: "" });
  const run = await say(() => app.post("/api/collect/run", { videos: everyone ? [] : [detail.id] }));
  follow(run || (await app.get("/api/collect/run")));
}

async function write() {
  await flush();
  await judge.flush();
  panel.run({ running: true, kind: "collection files", done: 0, total: 1, share: 0, seconds: 0, words: {}, error: "" });
  follow((await say(() => app.post("/api/collect/write"))) || (await app.get("/api/collect/run")));
}

function follow(run) {
  panel.run(run);
  clearTimeout(polling);
  if (!run.running) return;
  polling = setTimeout(async () => {
    const now = await app.get("/api/collect/run").catch(() => null);
    if (!now) return follow({ ...run });
    const moved = now.done !== run.done || !now.running;
    follow(now);
    if (!moved) return;
    state = await app.get("/api/collect/state");
    if (detail) drawMarks();
    if (detail) await judge.load(base(), detail);
    if (now.running) return;
    const count = `${now.done} of ${now.total} video${now.total > 1 ? "s" : ""} looked through`;
    app.say(now.error || (now.kind === "scores" ? count : `${state.out} is written`), now.error ? "error" : "");
  }, 400);
}

// --- the verdict ---

async function verdict(word) {
  await flush();
  if (word === "accept") {
    await mark("accept", { verdict: "accept", reason: "" });
    app.say(`accepted: ${detail.name}`);
  } else panel.ask("why is it turned down?", (reason) => mark("accept", { verdict: "turn down", reason }));
}

// --- drawing ---

function drawMarks() {
  people.draw(state, detail.id);
  // What the hand is still moving is newer than what the server knows.
  if (!waiting && !timeline.dragging) timeline.period = detail.period ? { start: detail.period.start_ms, end: detail.period.end_ms } : null;
  timeline.shots = detail.screenshots;
  timeline.draw();
  panel.marks(state, person(), detail);
  drawPeriod();
}

const drawPeriod = () => panel.period(timeline.period, edge);

function keep() {
  clearTimeout(keeping);
  keeping = setTimeout(() => detail && app.go(`${detail.id}/${player.ms}`), 200);
}

async function show(id, ms = 0) {
  await flush();
  const fresh = await say(() => app.get(`/api/collect/videos/${id}`));
  if (!fresh) return;
  detail = fresh;
  const length = detail.facts.seconds * 1000;
  timeline.show(length, detail.facts.sound);
  player.load(base(), detail, Math.min(ms, Math.max(0, length - 1)));
  timeline.move(ms);
  transport.now(ms, length);
  drawMarks();
  keep();
  await judge.load(base(), detail);
}

function neighbour(by) {
  const ids = state.people.flatMap((one) => one.videos.map((video) => video.id));
  const at = ids.indexOf(detail?.id);
  const next = ids[Math.min(ids.length - 1, Math.max(0, at + by))];
  if (next && next !== detail?.id) show(next);
}

/** The next video that nobody has accepted or turned down. */
function nextOpen() {
  const all = state.people.flatMap((one) => one.videos);
  const at = all.findIndex((video) => video.id === detail?.id);
  const next = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((video) => !video.verdict);
  if (next) show(next.id);
  else app.say("every video has its verdict");
}

/** While faces are offered their numbers choose one, before the page's own keys are asked. */
function choosing(event) {
  if (!player.choosing || event.ctrlKey || event.metaKey || event.altKey) return;
  const number = Number(event.key);
  if (!(number >= 1 && number <= 9) && event.key !== "Enter") return;
  event.preventDefault();
  event.stopPropagation();
  player.choose(Math.max(0, number - 1 || 0));
}

function leaving() {
  judge.flush();
  flush();
}

function build(root) {
  const ask = (start, end, pixels) => app.get(`${base()}/waveform`, { start: String(start), end, pixels });
  timeline = new Timeline(app, ask, { seek: (ms) => player.seek(ms), mark: period, play: (start, end) => player.span(start, end) });
  player = new Player(app, {
    moved(ms) {
      timeline.move(ms);
      transport.now(ms, player.length);
      keep();
    },
    stopped: () => transport.playing(false),
    started: () => transport.playing(true),
    chosen: (ms, box) => mark("screenshot", { ms, box }),
    failed: (text) => app.say(text, "error"),
  });
  people = new People(app, { choose: (id) => show(id), write });
  judge = new Judge(app, {
    kept(faces, segments) {
      timeline.faces = faces;
      timeline.segments = segments;
      timeline.draw();
    },
    ready: () => Boolean(person()?.speaker) && person().screenshots >= state.least.screenshots && person().periods > 0,
    set: (value) => mark("thresholds", value, ""),
    play: (start, end) => player.span(start, end),
    seek: (ms) => player.seek(ms),
  });
  panel = new Panel(app, {
    bind: (speaker, gender) => mark("speaker", { folder: detail.person, speaker, gender }, ""),
    drop: (shot) => mark("screenshot", { undo: true, ms: shot.ms }),
    seek: (ms) => player.seek(ms),
    capture,
    edge(which) {
      edge = which === "start" ? "end" : "start";
      otherEnd();
    },
    play: playPeriod,
    detect,
    stop: () => say(() => app.post("/api/collect/stop")),
    verdict,
  }, judge);
  transport = new Transport(app, player, { zoom: (factor) => timeline.zoom(factor), whole: () => timeline.span(0, player.length), setEnd });
  const stage = app.el("section", { class: "stage" }, app.el("div", { class: "screen" }, player.element), transport.element, app.el("div", { class: "card" }, timeline.canvas), panel.verdictElement);
  root.replaceChildren(people.element, stage, panel.element);
}

export default {
  name: "collect",
  title: "Collect",
  keys: {
    " ": ["play", () => player.toggle()],
    c: ["take face", () => capture()],
    "[": ["period from", () => setEnd("start")],
    "]": ["to here", () => setEnd("end")],
    p: ["hear it", () => playPeriod()],
    ",": ["end − 1 frame", () => nudge(-1)],
    ".": ["+ 1", () => nudge(1)],
    d: ["detect", () => detect()],
    "-": ["threshold down", () => judge.nudge(-1)],
    "+": ["up", () => judge.nudge(1)],
    y: ["accept", () => verdict("accept")],
    n: ["turn down", () => verdict("turn down")],
    o: ["next open video", () => nextOpen()],
    ArrowLeft: ["one frame back", () => player.step(-1)],
    ArrowRight: ["one frame on", () => player.step(1)],
    "Shift+ArrowLeft": ["one second back", () => player.seek(player.ms - 1000)],
    "Shift+ArrowRight": ["one second on", () => player.seek(player.ms + 1000)],
    ArrowDown: ["next video", () => neighbour(1)],
    ArrowUp: ["video before", () => neighbour(-1)],
    b: ["whose videos these are", () => panel.bind()],
    e: ["the period's other end", () => otherEnd()],
    f: ["choose the face threshold", () => judge.pick("face")],
    v: ["choose the voice threshold", () => judge.pick("voice")],
    "=": ["threshold up", () => judge.nudge(1)],
    k: ["threshold as calibrated", () => judge.calibrated()],
    h: ["hear the weakest segment kept", () => judge.hear()],
    a: ["detect in all videos that are ready", () => detect(true)],
    x: ["stop detection", () => say(() => app.post("/api/collect/stop"))],
    z: ["timeline closer", () => timeline.zoom(0.5)],
    s: ["timeline wider", () => timeline.zoom(2)],
    w: ["write the collection", () => write()],
    u: ["undo", () => undo()],
    Escape: ["leave the faces be", () => player.cancel()],
  },
  async open(root, shell, place) {
    app = shell;
    detail = null;
    state = await app.get("/api/collect/state", { look: 1 });
    const videos = state.people.flatMap((one) => one.videos);
    if (!videos.length) return root.replaceChildren(app.el("p", { class: "empty" }, "no video in this folder: put them into one folder per person, then reload"));
    build(root);
    document.addEventListener("keydown", choosing, true);
    addEventListener("pagehide", leaving);
    for (const text of state.warnings) app.say(text, "error");
    const [id, ms] = place.split("/");
    const known = videos.find((video) => video.id === id);
    await show(known ? id : (videos.find((video) => !video.verdict) || videos[0]).id, known ? Number(ms) || 0 : 0);
    follow(await app.get("/api/collect/run"));
  },
  close() {
    document.removeEventListener("keydown", choosing, true);
    removeEventListener("pagehide", leaving);
    clearTimeout(polling);
    clearTimeout(keeping);
    if (!detail) return;
    leaving();
    for (const part of [player, timeline, judge]) part.close();
  },
};
