// The view *artifacts*: a list of samples, the clip with its evidence, and what people say of each artifact.

import { Player } from "./player.js";
import { plot, under, waveform } from "./plots.js";

const SHOWS = [
  ["flagged", "found by the build"],
  ["all", "all samples"],
  ["unjudged", "not judged"],
  ["frozen", "frozen"],
  ["blurred", "blurred"],
  ["chin_cut", "chin cut"],
  ["flickers", "jumps"],
  ["noisy", "noisy"],
];
const WORDS = Object.fromEntries(SHOWS);
const MIXES = [0.45, 1, 0];
const PANES = ["all", "visual", "thermal", "overlay"];

let app, root, ui, player, watch;
let list = { items: [], total: 0, first: 0 };
let filter = { show: "flagged", undecided: false, find: "" };
let item = null;
let wave = null;
let picked = 0;
let mix = 0;
let pane = 0;
let turn = 0;
let loads = 0;
let dragged = null;
let saying = null;

async function open(into, shell, place) {
  [app, root] = [shell, into];
  const [config, key, frame, show, undecided, artifact] = place.split("/");
  filter = { show: show in WORDS ? show : "flagged", undecided: undecided === "1", find: "" };
  draw();
  watch = new ResizeObserver(() => item && plots());
  watch.observe(ui.plots);
  if (!(await load({ in: config, at: key }))) return;
  const at = list.items.findIndex((row) => row.config === config && row.key === key);
  if (list.items.length) await choose(Math.max(0, at), at >= 0 ? Number(frame) || 0 : 0, artifact);
}

function close() {
  watch?.disconnect();
  player?.close();
  player = item = wave = null;
}

// --- the list ---

function draw() {
  const { el } = app;
  const shows = SHOWS.map(([name, text]) => el("option", { value: name, selected: name === filter.show }, text));
  ui = {
    show: el("select", { "aria-label": "which samples", onchange: () => refilter({ show: ui.show.value }) }, ...shows),
    undecided: el("input", { type: "checkbox", checked: filter.undecided, onchange: () => refilter({ undecided: ui.undecided.checked }) }),
    find: el("input", { type: "search", placeholder: "find a key", "aria-label": "find a key", onchange: () => refilter({ find: ui.find.value.trim() }) }),
    rows: el("ul", { class: "rows", "aria-label": "samples" }),
    back: el("button", { class: "plain", title: "page before", onclick: () => page(-1) }, "‹"),
    on: el("button", { class: "plain", title: "next page", onclick: () => page(1) }, "›"),
    range: el("small"),
    head: el("div", { class: "row spread" }),
    panes: el("div", { class: "panes" }),
    strip: el("div", { class: "strip" }),
    plots: el("div", { class: "plots card" }),
    verdicts: el("div", { class: "verdicts card" }),
  };
  ui.stage = el("section", { class: "stage" }, ui.head, ui.panes, ui.strip, el("div", { class: "lower" }, ui.plots, ui.verdicts));
  const pager = el("div", { class: "pager" }, ui.back, ui.range, ui.on);
  const filters = el("div", { class: "filters" }, ui.show, el("label", {}, ui.undecided, "only undecided"), ui.find);
  root.replaceChildren(el("aside", { class: "list card" }, filters, ui.rows, pager), ui.stage);
}

/** Whether the list that was asked for is shown: not when another one was asked for since. */
async function load(where) {
  const mine = ++loads;
  const undecided = filter.undecided ? 1 : "";
  const found = await app.get("/api/artifacts/items", { show: filter.show, undecided, find: filter.find, ...where });
  // Filters change faster than answers, which may come in any order: only the list asked for last is shown.
  if (mine !== loads) return false;
  list = found;
  rows();
  if (!list.items.length) {
    player?.close();
    player = item = null;
    ui.stage.replaceChildren(app.el("p", { class: "empty" }, filter.undecided ? "Nothing left to decide here." : "No sample of this kind."));
  } else if (!ui.head.isConnected) ui.stage.replaceChildren(ui.head, ui.panes, ui.strip, ui.plots.parentNode || app.el("div", { class: "lower" }, ui.plots, ui.verdicts));
  return true;
}

async function refilter(change) {
  filter = { ...filter, ...change };
  const here = item;
  if (!(await load(here ? { in: here.config, at: here.key } : {}))) return null;
  const at = here ? list.items.findIndex((row) => row.key === here.key && row.config === here.config) : -1;
  if (at >= 0) return rows(), keep();
  return list.items.length ? choose(0) : null;
}

/** Whether a sample is still in the list, or was decided since it was asked for. */
function listed(row) {
  const wanted = ["flagged", "all", "unjudged"].includes(filter.show) ? row.unjudged : [filter.show];
  return !filter.undecided || !wanted.length || !wanted.every((name) => row.own[name]);
}

async function page(step, last = false) {
  const gone = list.items.filter((row) => !listed(row)).length;
  const first = step < 0 ? Math.max(0, list.first - 50) : list.first + list.items.length - gone;
  if (step < 0 ? !list.first : first >= list.total - gone) return;
  if (!(await load(step < 0 ? { first, limit: Math.min(50, list.first) } : { first })) || !list.items.length) return;
  await choose(last ? list.items.length - 1 : 0);
}

const done = (row) => {
  const wanted = row.flags.length ? row.flags : [];
  const said = wanted.filter((name) => row.own[name]).length;
  return wanted.length ? (said === wanted.length ? "✓" : said ? "◐" : "") : Object.keys(row.own).length ? "✓" : "";
};

function rows() {
  const { el } = app;
  const made = list.items.map((row, at) => {
    const words = row.flags.map((name) => WORDS[name] + (row.own[name] ? (row.own[name] === "confirm" ? " ✓" : " ✗") : ""));
    const here = item && row.key === item.key && row.config === item.config;
    return el(
      "li",
      { class: here ? "here" : "", "aria-current": here ? "true" : null, onclick: () => choose(at) },
      el("span", { class: "mono" }, row.key),
      el("span", { title: done(row) ? "decided by you" : "" }, done(row)),
      el("span", { class: "flags" }, words.join(", ") || (row.unjudged.length && filter.show === "unjudged" ? "not judged" : "clean")),
    );
  });
  ui.rows.replaceChildren(...made);
  const last = list.first + list.items.length;
  ui.range.textContent = list.total ? `${list.first + 1}–${last} of ${list.total.toLocaleString("en")}` : "none";
  ui.back.disabled = list.first === 0;
  ui.on.disabled = last >= list.total;
  ui.rows.querySelector(".here")?.scrollIntoView({ block: "nearest" });
}

const position = () => list.items.findIndex((row) => item && row.key === item.key && row.config === item.config);

async function move(step) {
  const to = position() + step;
  if (to >= 0 && to < list.items.length) return choose(to);
  if (to < 0 ? list.first > 0 : list.first + list.items.length < list.total) return page(step, to < 0);
  return app.say(step > 0 ? "that was the last one" : "this is the first one");
}

// --- one sample ---

/** The frame that shows an artifact best, from 1. */
function telling(one) {
  const most = (values) => {
    const known = (values || []).map((value, at) => [value, at + 1]).filter(([value]) => value !== null);
    return known.length ? known.reduce((best, next) => (next[0] > best[0] ? next : best))[1] : 1;
  };
  const longest = (item.freeze_runs || []).reduce((best, run) => (best && best.last - best.first >= run.last - run.first ? best : run), null);
  const frames = {
    frozen: () => longest?.first ?? 1,
    blurred: () => most(item.blur?.map((value) => -value)),
    chin_cut: () => most(item.chin),
    flickers: () => item.jumps?.[0]?.frame ?? 1,
  };
  return frames[one?.name]?.() ?? 1;
}

const evidence = () => item && player?.pause(telling(item.artifacts[picked]));

async function choose(at, frame = 0, artifact = "") {
  const mine = ++turn;
  const { config, key } = list.items[at];
  const found = await app.get("/api/artifacts/item", { config, key });
  if (mine !== turn) return;
  player?.close();
  item = found;
  wave = null;
  const first = item.artifacts.findIndex((one) => one.built && !one.own);
  const last = item.artifacts.findIndex((one) => one.name === artifact);
  picked = Math.max(0, last >= 0 ? last : first >= 0 ? first : item.artifacts.findIndex((one) => one.built));
  const clips = { visual: "visual.webp", thermal: "thermal.webp" };
  const streams = {};
  for (const [name, field] of Object.entries(clips)) if (field in item.clips) streams[name] = (n) => app.media(config, key, field, n);
  if (streams.visual && streams.thermal && item.alignment.length) {
    const covered = (n) => item.alignment.some(({ first: from, last }) => from <= n && n <= last);
    streams.aligned = (n) => (covered(n) ? `/media/${config}/${encodeURIComponent(key)}/aligned/${n}.png?v=${app.desk.version}` : null);
  }
  const count = Math.max(1, ...Object.values(item.clips).map((clip) => clip.frames));
  const sound = item.sounds[0] ? app.media(config, key, item.sounds[0]) : null;
  player = new Player({ count, fps: item.fps, streams, sound, draw: paint, changed: followed });
  canvases(Object.keys(streams));
  strip(count);
  rows();
  verdicts();
  plotCanvases();
  await player.show(Math.min(count, frame || (item.artifacts[picked]?.built ? telling(item.artifacts[picked]) : 1)));
  if (item.sounds[0]) {
    wave = await app.get("/api/artifacts/wave", { config, key, field: item.sounds[0] });
    if (mine === turn) plots();
  }
}

function canvases(names) {
  const { el } = app;
  const titles = { visual: "visual", thermal: "thermal", overlay: "thermal over visual" };
  const shown = Object.keys(titles).filter((name) => names.includes(name === "overlay" ? "aligned" : name));
  const chosen = PANES[pane] === "all" || !shown.includes(PANES[pane]) ? shown : [PANES[pane]];
  ui.canvas = {};
  ui.panes.className = chosen.length === 1 ? "panes one" : "panes";
  ui.panes.replaceChildren(
    ...chosen.map((name) => {
      const size = item.clips[name === "visual" ? "visual.webp" : "thermal.webp"];
      ui.canvas[name] = el("canvas", { width: size.width, height: size.height, role: "img", "aria-label": titles[name] });
      return el("figure", {}, ui.canvas[name], el("figcaption", {}, name === "overlay" ? `${titles[name]}, ${Math.round(MIXES[mix] * 100)} %` : titles[name]));
    }),
  );
}

let pictures = {};

function paint(n, bitmaps) {
  pictures = bitmaps;
  for (const [name, canvas] of Object.entries(ui.canvas)) {
    const needed = name === "overlay" ? ["aligned", "thermal"] : [name];
    if (player.playing && !needed.every((stream) => bitmaps[stream])) continue;
    const pen = canvas.getContext("2d");
    pen.globalAlpha = 1;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (name !== "overlay") {
      if (bitmaps[name]) pen.drawImage(bitmaps[name], 0, 0);
      continue;
    }
    if (bitmaps.aligned) pen.drawImage(bitmaps.aligned, 0, 0);
    pen.globalAlpha = bitmaps.aligned ? MIXES[mix] : 1;
    if (bitmaps.thermal) pen.drawImage(bitmaps.thermal, 0, 0);
  }
  root.dataset.frame = n;
}

function strip(count) {
  const { el } = app;
  const field = ["visual.webp", "thermal.webp"].find((name) => name in item.clips) || Object.keys(item.clips)[0];
  const many = Math.min(count, 17);
  const numbers = [...Array(many).keys()].map((at) => Math.round((at * (count - 1)) / Math.max(1, many - 1)) + 1);
  const made = numbers.map((n) =>
    el("button", { title: `frame ${n}`, "data-frame": n, tabindex: "-1", onclick: () => player.pause(n) },
      el("img", { src: app.thumb(item.config, item.key, field, n), alt: `frame ${n}`, loading: "lazy" })),
  );
  ui.strip.replaceChildren(...(field ? made : []));
}

function followed(n) {
  if (!item) return;
  for (const button of ui.strip.children) button.classList.remove("here");
  [...ui.strip.children].findLast((button) => Number(button.dataset.frame) <= n)?.classList.add("here");
  head(n);
  plots();
  if (!player.playing) keep();
}

const keep = () => app.go([item.config, item.key, player.frame, filter.show, filter.undecided ? 1 : 0, item.artifacts[picked]?.name].join("/"));

function head(n) {
  const { el } = app;
  const about = Object.entries(item.about).filter(([name]) => ["gender", "age", "ethnicity", "accessories"].includes(name));
  const words = about.map(([, value]) => value).filter((value) => value !== "None");
  ui.head.replaceChildren(
    el("div", { class: "row" },
      el("h1", { class: "mono" }, item.key),
      item.transcript ? el("span", {}, `“${item.transcript}”`) : null,
      el("small", {}, [item.split, ...words].join(" · "))),
    el("div", { class: "row" },
      el("span", { class: "mono" }, `frame ${n} of ${player?.count ?? 1}`),
      el("small", {}, `${((n - 1) / item.fps).toFixed(2)} of ${((player?.count ?? 1) / item.fps).toFixed(2)} s`),
      el("button", { title: "play or pause (space)", onclick: () => player.toggle() }, player?.playing ? "❚❚ pause" : "▶ play")),
  );
}

// --- the evidence ---

function plotCanvases() {
  const seek = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    player.pause(under(event.clientX - box.left, player.count, box.width));
  };
  const made = ["blur", "freeze", "shift", "chin", "wave"].filter((name) => name !== "wave" || item.sounds.length);
  ui.plot = Object.fromEntries(made.map((name) => [name, app.el("canvas", { role: "img", "aria-label": `${name} by frame` })]));
  for (const [name, canvas] of Object.entries(ui.plot)) canvas.addEventListener("pointerdown", name === "wave" ? grab(seek) : seek);
  ui.plots.replaceChildren(...Object.values(ui.plot));
}

const length = () => player.count / item.fps;
const kept = () => (dragged ?? (item.trim ?? item.samples ?? 0) / (item.sample_rate || 1)) / length();

/** Take the end of the sound by the hand, or seek when it is farther away. */
function grab(seek) {
  return (event) => {
    const canvas = event.currentTarget;
    const box = canvas.getBoundingClientRect();
    if (!item.samples || Math.abs(event.clientX - box.left - Math.min(1, kept()) * box.width) > 8) return seek(event);
    canvas.setPointerCapture(event.pointerId);
    const share = (moved) => Math.min(1, Math.max(0, (moved.clientX - box.left) / box.width));
    canvas.onpointermove = (moved) => ((dragged = share(moved) * length()), plots());
    canvas.onpointerup = (moved) => {
      canvas.onpointermove = canvas.onpointerup = dragged = null;
      trimAt(share(moved));
    };
    return null;
  };
}

function plots() {
  if (!item || !ui.plot || !player) return;
  const [count, frame] = [player.count, player.frame];
  const at = (values) => values?.[frame - 1];
  const number = (value, unit = "") => (value === null || value === undefined ? "–" : `${value.toFixed(Math.abs(value) < 10 ? 1 : 0)}${unit}`);
  const log = (value) => Math.log10(Math.max(0.1, value));
  const below = item.blurred_below;
  plot(ui.plot.blur, { title: `sharpness: variance of the Laplacian; ▲ below ${below}`, value: number(at(item.blur)), values: item.blur || [], limit: below, bad: (v) => v < below, scale: log, count, frame });
  const bands = (item.freeze_runs || []).map((run) => ({ ...run, bad: item.artifacts.some((one) => one.name === "frozen" && one.built) }));
  const run = bands.find(({ first, last }) => first <= frame && frame <= last);
  plot(ui.plot.freeze, { title: "freeze: thermal frames that are alike, hatched", value: run ? `frames ${run.first} to ${run.last}` : "moving", bands, count, frame });
  const jumps = Array(count).fill(0);
  for (const jump of item.jumps || []) jumps[jump.frame - 1] = Math.abs(jump.dx) >= Math.abs(jump.dy) ? jump.dx : jump.dy;
  const shift = item.alignment.find(({ first, last }) => first <= frame && frame <= last);
  const moved = shift ? `thermal ${shift.dx}, ${shift.dy} px` : "no matrix";
  plot(ui.plot.shift, { title: "shift: px by which the picture jumps aside ▲", value: item.jumps ? `${number(jumps[frame - 1], " px")}; ${moved}` : `not measured; ${moved}`, values: item.jumps ? jumps : [], bad: (v) => v !== 0, stems: true, count, frame });
  const margin = item.chin_margin;
  plot(ui.plot.chin, { title: `chin: px outside the picture; ▲ above ${margin.toFixed(0)}`, value: number(at(item.chin), " px"), values: item.chin || [], limit: margin, bad: (v) => v > margin, count, frame });
  if (ui.plot.wave) {
    const end = dragged ?? (item.trim === null ? null : item.trim / item.sample_rate);
    const value = item.snr_db === null ? "" : `${item.snr_db.toFixed(0)} dB`;
    waveform(ui.plot.wave, { title: `${item.sounds[0]}; drag its end to trim`, value, peaks: wave?.peaks || [], seconds: wave?.seconds || 0, length: length(), end, count, frame });
  }
}

// --- what people say ---

function verdicts() {
  const { el } = app;
  const made = item.artifacts.map((one, at) => {
    const built = one.built === null ? ["?", "doubt", "not judged"] : one.built ? ["▲", "bad", "found"] : ["○", "", "clean"];
    const own = one.own ? el("span", { class: "tag mine", title: one.own === "confirm" ? "you say: it is there" : "you say: it is not there" }, one.own === "confirm" ? "✓ you" : "✗ you") : null;
    const outdated = one.outdated ? el("span", { class: "tag doubt", title: "the sample has changed since you said so: say it again" }, "⚠ outdated") : null;
    const others = Object.entries(one.others).map(([who, verdict]) =>
      el("span", { class: one.own && verdict !== one.own ? "tag doubt" : "tag" , title: `${who} says: ${verdict === "confirm" ? "it is there" : "it is not there"}` }, `${verdict === "confirm" ? "✓" : "✗"} ${who}`));
    const code = one.published === null ? null : el("span", { class: "tag", title: one.published ? "the release's own code says: there" : "the release's own code says: clean" }, one.published ? "release ▲" : "release ○");
    const key = (name) => (at === picked ? el("kbd", {}, name) : null);
    return el("div", { class: at === picked ? "verdict here" : "verdict", "data-name": one.name, onclick: () => pick(at) || evidence() },
      el("span", { "aria-hidden": "true" }, built[0]),
      el("strong", {}, one.word),
      el("span", { class: "row tags" }, el("span", { class: `tag ${built[1]}` }, built[2]), code, own, outdated, ...others),
      el("span", { class: "row ask" },
        el("button", { class: "plain", title: "it is there (y)", tabindex: "-1", onclick: (event) => answer(event, at, "confirm") }, "✓ ", key("y")),
        el("button", { class: "plain", title: "it is not there (n)", tabindex: "-1", onclick: (event) => answer(event, at, "overturn") }, "✗ ", key("n"))),
      el("span", { class: "evidence", title: one.evidence }, one.evidence));
  });
  ui.reason = el("input", { type: "text", placeholder: "reason (r), kept with the next decision", "aria-label": "reason", value: item.artifacts[picked]?.reason || "",
    onkeydown: (event) => event.key === "Enter" && ui.reason.blur() });
  ui.verdicts.replaceChildren(...made, el("div", { class: "words" }, ui.reason, trimRow()));
}

function trimRow() {
  if (!item.samples) return "";
  const { el } = app;
  const seconds = (samples) => `${(samples / item.sample_rate).toFixed(2)} s`;
  const kept = item.trim === null ? `as built, ${seconds(item.samples)}` : `${seconds(item.trim)} of ${seconds(item.samples)} (you)`;
  return el("div", { class: "row spread" },
    el("span", {}, el("strong", {}, "trim "), el("small", {}, kept)),
    el("button", { title: "keep sound and frames up to this frame", onclick: () => trim() }, "cut here ", el("kbd", {}, "t")));
}

function pick(at) {
  picked = at;
  verdicts();
  keep();
}

function answer(event, at, verdict) {
  event.stopPropagation();
  pick(at);
  return say(verdict);
}

/** Nobody has judged what is not shown yet: a key that comes too early is passed over. */
async function say(verdict) {
  const mine = item;
  if (!mine || saying === mine) return;
  saying = mine;
  try {
    await put(verdict);
  } finally {
    if (saying === mine) saying = null;
  }
}

async function put(verdict) {
  const one = item?.artifacts[picked];
  if (!one) return;
  const key = item.key;
  const made = await app.decide({ key, about: "artifact", verdict, value: one.name, reason: ui.reason.value.trim() });
  if (!made || item?.key !== key) return;
  one.own = verdict;
  one.outdated = false;
  one.reason = made.reason;
  const row = list.items[position()];
  if (row) row.own[one.name] = verdict;
  const next = item.artifacts.findIndex((other) => other.built && !other.own);
  rows();
  if (next >= 0) pick(next);
  else verdicts(), await move(1);
}

const trim = () => trimAt(player.frame / player.count);

async function trimAt(share) {
  if (!item?.samples) return app.say("this clip has no sound to trim by");
  const frames = Math.max(1, Math.round(share * player.count));
  const value = Math.round((frames * item.sample_rate) / item.fps);
  const cut = item;
  const made = await app.decide({ key: cut.key, about: "trim", verdict: "change", value, reason: ui.reason.value.trim() });
  if (!made) return null;
  cut.trim = value;
  if (item !== cut) return null;
  verdicts();
  plots();
  return app.say(`keeps frames 1 to ${frames}`);
}

async function changed(decision) {
  const here = item;
  if (!(await load({ in: here?.config, at: decision.key }))) return null;
  const at = list.items.findIndex((row) => row.key === decision.key);
  if (at < 0) return here ? choose(Math.max(0, position())) : null;
  return choose(at, here?.key === decision.key ? player.frame : 0, decision.value);
}

function enlarge() {
  pane = (pane + 1) % PANES.length;
  canvases(Object.keys(player.streams));
  paint(player.shown, pictures);
  plots();
}

function remix() {
  mix = (mix + 1) % MIXES.length;
  canvases(Object.keys(player.streams));
  paint(player.shown, pictures);
}

export default {
  name: "artifacts",
  title: "Artifacts",
  open,
  close,
  changed,
  keys: {
    y: ["it is there", () => say("confirm")],
    n: ["it is not", () => say("overturn")],
    ArrowUp: ["sample", () => move(-1)],
    ArrowDown: ["sample", () => move(1)],
    ArrowLeft: ["frame", () => player?.pause(player.frame - 1)],
    ArrowRight: ["frame", () => player?.pause(player.frame + 1)],
    " ": ["play", () => player?.toggle()],
    a: ["next artifact", () => item && pick((picked + 1) % item.artifacts.length)],
    e: ["to its evidence", evidence],
    r: ["reason", () => ui.reason?.focus()],
    t: ["cut after this frame", () => trim()],
    v: ["enlarge", () => player && enlarge()],
    o: ["overlay", () => player && remix()],
    d: ["only undecided", () => ((ui.undecided.checked = !ui.undecided.checked), refilter({ undecided: ui.undecided.checked }))],
    "Shift+ArrowLeft": ["ten frames", () => player?.pause(player.frame - 10)],
    "Shift+ArrowRight": ["ten frames", () => player?.pause(player.frame + 10)],
  },
};
