// The faces of one person side by side: which are picked, which are left out and why.

import { brief, scoresOf } from "./facts.js";
import { drawDetail, drawZoom, said, source, zoom } from "./faces_detail.js";

const REASONS = [
  "another person",
  "turned away",
  "expression, or eyes closed",
  "blurred, or too small",
  "hidden: hand, hair, glasses, microphone",
  "a drawing, or edited",
  "double of another picture",
  "badly cut out",
];
const AT_ONCE = 200;
const PEOPLE = 50;
const SHOW = {
  all: "everybody", left: "not done yet", done: "done", "too few": "too few faces kept", "none kept": "no face kept",
  "in conflict": "people disagree",
};

let app, root, configs, config, list, person, faces, at, field, asking, ask;
let narrowed = { show: "all", find: "" };
// Keys run faster than answers, which may come in any order: only what was asked for last is shown.
const asks = { people: 0, person: 0, said: 0 };

const el = (...parts) => app.el(...parts);
const count = (number) => number.toLocaleString("en");

// --- the list of people ---

async function people(where) {
  const mine = ++asks.people;
  const found = await app.get("/api/faces/people", { config: config.name, count: PEOPLE, ...narrowed, ...where });
  if (mine !== asks.people) return;
  list = found;
  drawPeople();
}

function drawPeople() {
  const rows = list.people.map((one) => {
    const here = one.person === person?.person;
    const picked = [one.picked ? `${one.picked} picked` : "", one.left_out ? `${one.left_out} left out` : ""];
    const state = one.conflicts ? "≠" : one.done ? "✓" : "";
    const words = [`${one.kept} kept`, `${one.turned_down} not`, ...picked].filter(Boolean).join(" · ");
    return el("li", { class: here ? "here" : "", "aria-current": here ? "true" : null, onclick: () => go({ key: one.first }) },
      el("span", { class: "name" }, one.name.replaceAll("_", " ")),
      el("span", { class: "state", title: one.conflicts ? "people disagree" : one.done ? "done" : "" }, state),
      el("span", { class: "about" }, words));
  });
  if (!rows.length) rows.push(el("li", { class: "none soft" }, "nobody here; choose another filter"));
  root.querySelector(".people").replaceChildren(...rows);
  const last = list.from + list.people.length;
  const turn = (from) => () => people({ from });
  root.querySelector(".pager").replaceChildren(
    el("button", { class: "plain", type: "button", disabled: !list.from, onclick: turn(Math.max(0, list.from - PEOPLE)), "aria-label": "earlier people" }, "‹"),
    el("small", {}, list.total ? `${count(list.from + 1)}–${count(last)} of ${count(list.total)}` : "0"),
    el("button", { class: "plain", type: "button", disabled: last >= list.total, onclick: turn(last), "aria-label": "later people" }, "›"),
  );
  root.querySelector(".people .here")?.scrollIntoView({ block: "nearest" });
}

// --- one person ---

async function go(where, quiet = false) {
  const mine = ++asks.person;
  const found = await app.get("/api/faces/person", { config: config.name, count: AT_ONCE, ...narrowed, ...where });
  if (mine !== asks.person) return found;
  if (!found) return quiet ? null : app.say(where.before ? "this is the first" : "this is the last");
  asking = null;
  person = found;
  faces = found.faces;
  at = Math.max(0, faces.findIndex((face) => face.key === where.key));
  draw();
  const listed = list?.people.some((one) => one.person === person.person);
  if (listed) drawPeople();
  else await people({ at: person.first });
  return found;
}

async function more() {
  const [mine, from] = [asks.person, faces.length];
  const found = await app.get("/api/faces/person", { config: config.name, key: person.first, count: AT_ONCE, from });
  if (mine !== asks.person || from !== faces.length) return;
  faces.push(...found.faces);
  draw();
}

/** Asks again what is said of the person of a face; the face looked at stays, unless `onto` that one. */
async function again(key, onto = false) {
  const mine = ++asks.said;
  const found = await app.get("/api/faces/person", { config: config.name, key, count: Math.max(AT_ONCE, faces.length) });
  if (mine !== asks.said) return null;
  if (!found || found.person !== person.person) return onto ? go({ key }, true) : null;
  const now = onto ? key : faces[at]?.key;
  person = found;
  faces = found.faces;
  at = Math.max(0, faces.findIndex((face) => face.key === now));
  draw();
  const one = list.people.find((other) => other.person === person.person);
  const { picked, left_out, conflicts, done } = person;
  if (one) Object.assign(one, { picked, left_out, conflicts, done });
  drawPeople();
  return app.count();
}

function tile(face, number) {
  const place = source(app, config, field, face);
  const told = face.says ? said(config, face.says) : "";
  const reason = face.words.find((word) => word.verdict === "leave out")?.reason;
  const kind = { keep: "keep", "leave out": "out", "in conflict": "conflict" }[face.says] || "";
  const scores = scoresOf(config.scores, face.facts);
  const worst = scores.find(({ fails }) => fails);
  const line = (worst ? [worst, ...scores.filter((one) => one !== worst)] : scores).slice(0, 2);
  const picture = place
    ? el("img", { src: place, width: 144, height: 144, loading: "lazy", decoding: "async", alt: `face ${face.key}` })
    : el("span", { class: "nothing" }, config.originals ? "no picture" : "picture: start with --raw");
  const badge = face.kept ? (face.rank ? `rank ${face.rank}` : "kept") : face.stage;
  return el("button", {
    type: "button", tabindex: -1, "data-at": number, title: face.key,
    class: `face ${face.kept ? "kept" : "aside"} ${kind} ${number === at ? "here" : ""}`,
    onclick: (event) => { event.currentTarget.blur(); move(number); }, ondblclick: enlarge,
  },
  picture,
  el("span", { class: "badge" }, badge),
  told && el("span", { class: "told" }, told, reason ? `: ${reason}` : ""),
  el("span", { class: "scores" },
    !worst && face.reason ? el("span", { class: "reason" }, face.reason) : null,
    ...line.map((found) => el("span", { class: found.fails ? "fails" : "" }, brief(found)))));
}

function part(kind, title, hint, some) {
  if (!some.length) return [];
  return [el("h2", {}, title, el("small", {}, ` ${hint}`)), el("div", { class: `grid ${kind}` }, some.map(([face, number]) => tile(face, number)))];
}

function draw() {
  const numbered = faces.map((face, number) => [face, number]);
  const kept = numbered.filter(([face]) => face.kept);
  const fit = numbered.filter(([face]) => !face.kept && ["rank", "identity", "review"].includes(face.stage));
  const rest = numbered.filter(([face]) => !face.kept && !["rank", "identity", "review"].includes(face.stage));
  root.querySelector(".head").replaceChildren(...head());
  root.querySelector(".faces-of").replaceChildren(
    ...part("kept", "In the dataset", `${person.kept} kept by the last build`, kept),
    ...part("fit", "Fitted, not kept", "ranked too low, too few of this person, or left out by people", fit),
    ...part("aside", "Turned down", "by a threshold; a pick passes all but: no face found, or not cut out", rest),
    ...(person.total > faces.length ? [el("button", { type: "button", class: "further", onclick: more }, `${count(person.total - faces.length)} more`)] : []),
  );
  drawLook();
  drawReasons();
  root.querySelector(".face.here")?.scrollIntoView({ block: "nearest" });
  app.go(`${config.name}/${faces[at]?.key || ""}`);
  app.keys();
}

function head() {
  const [least, most] = config.wanted || [];
  const enough = config.wanted && person.picked >= least;
  const pips = config.wanted ? Array.from({ length: most }, (_, place) => (place < person.picked ? "●" : place < least ? "○" : "·")).join("") : "";
  const picked = config.wanted
    ? el("span", { class: `tag ${enough ? "good" : ""} picked`, title: `a person keeps ${least} to ${most} faces` },
      el("span", { class: "pips", "aria-hidden": "true" }, pips), `picked ${person.picked} of ${least}–${most}`)
    : null;
  const choice = config.fields.length > 1
    ? el("button", { type: "button", onclick: other, title: "the other picture of each face" }, field)
    : null;
  return [
    el("div", { class: "who-is" }, el("h1", {}, person.name.replaceAll("_", " ")), el("small", {}, `${person.person} · ${person.split}`)),
    picked,
    person.done ? el("span", { class: "tag good" }, "✓ done") : null,
    person.conflicts ? el("span", { class: "tag doubt" }, `≠ ${person.conflicts} in conflict`) : null,
    el("span", { class: "space" }),
    choice,
    el("button", { type: "button", onclick: () => go({ before: person.first }), "aria-label": "person before", title: "person before" }, "‹"),
    el("button", { type: "button", onclick: () => go({ after: person.first }), "aria-label": "next person", title: "next person" }, "›"),
  ].filter(Boolean);
}

const drawLook = () => drawDetail(root.querySelector(".detail"), app, config, field, faces[at]);
const enlarge = () => zoom(root.querySelector(".zoom"), app, config, field, faces[at]);

// --- moving ---

function move(number) {
  if (!faces[number]) return;
  root.querySelector(".face.here")?.classList.remove("here");
  at = number;
  const now = root.querySelector(`.face[data-at="${number}"]`);
  now.classList.add("here");
  now.scrollIntoView({ block: "nearest" });
  app.go(`${config.name}/${faces[at].key}`);
  drawLook();
  drawReasons();
  drawZoom(root.querySelector(".zoom"), app, config, field, faces[at]);
}

/** The nearest face in the next line up or down, by where they lie on the page. */
function line(step) {
  const all = [...root.querySelectorAll(".face")];
  const own = all[at].getBoundingClientRect();
  const beyond = all.map((one, number) => ({ number, box: one.getBoundingClientRect() }))
    .filter(({ box }) => (step > 0 ? box.top > own.top + 4 : box.top < own.top - 4));
  if (!beyond.length) return;
  const top = step > 0 ? Math.min(...beyond.map(({ box }) => box.top)) : Math.max(...beyond.map(({ box }) => box.top));
  const near = beyond.filter(({ box }) => Math.abs(box.top - top) < 4);
  near.sort((a, b) => Math.abs(a.box.left - own.left) - Math.abs(b.box.left - own.left));
  move(near[0].number);
}

function other() {
  field = config.fields[(config.fields.indexOf(field) + 1) % config.fields.length];
  draw();
}

// --- deciding ---

async function decide(verdict, reason = "") {
  const face = faces[at];
  asking = null;
  if (face && (await app.decide({ key: face.key, about: "face", verdict, reason }))) await again(face.key);
  else draw();
}

function pick() {
  const own = faces[at]?.words.find((word) => word.mine);
  if (!faces[at]) return null;
  return decide(own?.verdict === "keep" ? "undo" : "keep");
}

/** Leaves out every kept face of this person that nobody picked: then the picked ones are all there is. */
async function rest() {
  const others = faces.filter((face) => face.kept && !face.says);
  if (!person.picked) return app.say("pick faces first");
  if (!others.length) return app.say("every face of the dataset has a word already");
  let out = 0;
  for (const face of others) {
    if (!(await app.decide({ key: face.key, about: "face", verdict: "leave out", reason: "not among the best" }))) break;
    out++;
  }
  if (out === others.length) app.say(`${out} left out: not among the best`);
  return again(faces[at].key);
}

function drawReasons() {
  const sheet = root.querySelector(".reasons");
  sheet.hidden = !asking;
  if (!asking) return;
  ask = el("input", { type: "text", placeholder: "another reason, then Enter", maxlength: 200, "aria-label": "another reason",
    onkeydown: (event) => { if (event.key === "Enter" && ask.value.trim()) decide("leave out", ask.value.trim()); } });
  sheet.replaceChildren(
    el("h2", {}, "Left out, because…"),
    el("ol", {}, REASONS.map((reason, number) => el("li", {}, el("button", { type: "button", class: "plain", onclick: () => decide("leave out", reason) },
      el("kbd", {}, String(number + 1)), ` ${reason}`)))),
    el("div", { class: "row" }, el("kbd", {}, "0"), ask, el("button", { type: "button", onclick: stop }, el("kbd", {}, "esc"), " not after all")),
  );
}

function start() {
  if (!faces[at]) return;
  asking = faces[at].key;
  root.querySelector(".zoom").close();
  drawReasons();
  app.keys();
}

function stop() {
  asking = null;
  drawReasons();
  app.keys();
}

const WHY = {
  ...Object.fromEntries(REASONS.map((reason, number) => [String(number + 1), [reason, () => decide("leave out", reason)]])),
  0: ["another reason", () => ask.focus()],
  Escape: ["not after all", stop],
};
const KEYS = {
  y: ["pick", pick],
  n: ["leave out", start],
  ArrowLeft: ["move", () => move(at - 1)],
  ArrowRight: ["move", () => move(at + 1)],
  ArrowUp: ["move", () => line(-1)],
  ArrowDown: ["move", () => line(1)],
  PageDown: ["person", () => go({ after: person.first })],
  PageUp: ["person", () => go({ before: person.first })],
  "Shift+PageDown": ["next who is left", () => go({ show: "left", find: "", after: person.first })],
  b: ["background", other],
  " ": ["large", enlarge],
  o: ["only the picked ones", rest],
  "/": ["search", () => root.querySelector("input[type=search]").focus()],
};

const CONFIRM = { y: ["confirm", pick] };
/* where the build does not pick, a word is for the record, and only those left out change anything */

// --- the view ---

async function narrow(changed) {
  narrowed = { ...narrowed, ...changed };
  list = null;
  person = null;
  if (!(await go({}, true))) await people({});
}

function filters() {
  const choices = config.show.map((show) => el("option", { value: show, selected: show === narrowed.show }, SHOW[show]));
  let typing;
  const search = (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => narrow({ find: event.target.value.trim() }), 200);
  };
  const several = configs.length > 1
    ? el("select", { "aria-label": "config", onchange: (event) => choose(event.target.value, "") },
      configs.map((one) => el("option", { value: one.name, selected: one === config }, one.name)))
    : null;
  return [
    several,
    el("select", { "aria-label": "who is listed", onchange: (event) => { narrow({ show: event.target.value }); event.target.blur(); } }, choices),
    el("input", { type: "search", value: narrowed.find, placeholder: "name or key", "aria-label": "name or key", oninput: search }),
  ].filter(Boolean);
}

async function choose(name, key) {
  config = configs.find((one) => one.name === name) || configs[0];
  field = config.fields[0];
  list = person = asking = null;
  faces = [];
  root.replaceChildren(
    el("aside", { class: "card list" }, el("div", { class: "filters" }, filters()), el("ol", { class: "people" }), el("div", { class: "pager" })),
    el("section", { class: "person" }, el("div", { class: "card pad head" }), el("div", { class: "faces-of" }), el("div", { class: "card pad reasons", hidden: true, role: "dialog", "aria-label": "why it is left out" })),
    el("aside", { class: "card detail" }),
    el("dialog", { class: "zoom", onclick: enlarge }),
  );
  const found = key && (await go({ key, show: "all", find: "" }, true));
  if (!found && !(await go({}, true))) root.querySelector(".faces-of").replaceChildren(el("p", { class: "empty" }, "no faces here"));
}

export default {
  name: "faces",
  title: "Faces",
  get keys() {
    return asking ? WHY : config?.wanted ? KEYS : { ...CONFIRM, ...Object.fromEntries(Object.entries(KEYS).filter(([key]) => !"yo".includes(key))) };
  },
  async open(where, shell, place) {
    [root, app] = [where, shell];
    configs = await app.get("/api/faces/configs");
    const [name, key] = place.split("/");
    await choose(name, key);
  },
  close() {
    asking = null;
    root.querySelector(".zoom")?.close();
  },
  changed: (decision) => (decision.about === "face" ? again(decision.key, true) : null),
};
