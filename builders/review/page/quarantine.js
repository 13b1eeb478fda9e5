// What was left out, stage by stage, and why: accepted, or tried again by the next build.

import { framed, worded } from "./facts.js";

const AT_ONCE = 50;
const STATES = {
  open: "waiting for a word", accepted: "accepted", retry: "to be tried again", "in conflict": "people disagree",
  "no sample": "about no sample", all: "all rows",
};
const TAGS = {
  open: ["", "○ open"], accepted: ["good", "✓ stays out"], retry: ["doubt", "↻ next build tries again"],
  "in conflict": ["bad", "≠ people disagree"], "no sample": ["", "– no sample"],
};
const SAID = { accept: "✓ stays out", retry: "↻ try again", "leave out": "✕ left out", keep: "✓ picked" };

let app, root, groups, facts, originals, rows, total, from, patterns, at;
let asked = 0;
let said = 0;
let chosen = { config: "", stage: "", state: "open", pattern: "", find: "" };

const el = (...parts) => app.el(...parts);
const count = (number) => number.toLocaleString("en");

// --- groups ---

async function load() {
  ({ groups, facts, originals } = await app.get("/api/quarantine/groups"));
  drawGroups();
}

function drawGroups() {
  const lines = [];
  const choose = (config, stage) => () => narrow({ config, stage, pattern: "" });
  const line = (name, open, rowsThere, config, stage, first) => {
    const here = chosen.config === config && chosen.stage === stage;
    const words = open ? `${count(open)} open of ${count(rowsThere)}` : `${count(rowsThere)}`;
    return el("li", { class: `${here ? "here" : ""} ${stage ? "" : "whole"}`, "aria-current": here ? "true" : null, title: first, onclick: choose(config, stage) },
      el("span", { class: "name" }, name), el("span", { class: "about" }, words));
  };
  const sum = (some, name) => some.reduce((all, group) => all + group[name], 0);
  lines.push(line("everything", sum(groups, "open"), sum(groups, "rows"), "", "", ""));
  for (const config of [...new Set(groups.map((group) => group.config))]) {
    const own = groups.filter((group) => group.config === config);
    lines.push(line(config, sum(own, "open"), sum(own, "rows"), config, "", ""));
    lines.push(...own.map((group) => line(group.stage, group.open, group.rows, config, group.stage, group.first)));
  }
  root.querySelector(".groups").replaceChildren(...lines);
  root.querySelector(".groups .here")?.scrollIntoView({ block: "nearest" });
}

/** Groups in the order shown, for the arrow keys. */
function step(by) {
  const order = [["", ""]];
  for (const config of [...new Set(groups.map((group) => group.config))]) {
    order.push([config, ""], ...groups.filter((group) => group.config === config).map((group) => [config, group.stage]));
  }
  const now = order.findIndex(([config, stage]) => config === chosen.config && stage === chosen.stage);
  const next = order[now + by];
  if (next) narrow({ config: next[0], stage: next[1], pattern: "" });
}

// --- rows ---

async function page(where = {}) {
  const mine = ++asked;
  const found = await app.get("/api/quarantine/rows", { ...chosen, count: AT_ONCE, ...where });
  // Keys run faster than answers, which may come in any order: only the page asked for last is shown.
  if (mine !== asked) return;
  ({ rows, total, from, patterns } = found);
  at = Math.max(0, rows.findIndex((row) => row.key === where.at));
  if (where.last) at = Math.max(0, rows.length - 1);
  drawRows();
}

function drawRows() {
  const lines = rows.map((row, number) => {
    const [kind, word] = TAGS[row.state];
    return el("li", { class: number === at ? "here" : "", "aria-current": number === at ? "true" : null, "data-at": number, onclick: () => move(number) },
      el("span", { class: "name mono" }, row.key || row.place),
      el("span", { class: `tag ${kind}` }, word),
      el("span", { class: "about" }, chosen.stage ? null : el("b", {}, `${row.stage} · `), row.reason));
  });
  if (!lines.length) lines.push(el("li", { class: "none soft" }, total ? "no such page" : nothing()));
  root.querySelector(".rows").replaceChildren(...lines);
  const last = from + rows.length;
  root.querySelector(".pager").replaceChildren(
    el("button", { class: "plain", type: "button", disabled: !from, onclick: () => turn(-1), "aria-label": "page before" }, "‹ before"),
    el("small", {}, total ? `${count(from + 1)}–${count(last)} of ${count(total)}` : "0 rows"),
    el("button", { class: "plain", type: "button", disabled: last >= total, onclick: () => turn(1), "aria-label": "next page" }, "next ›"),
  );
  drawFilters();
  drawDetail();
  root.querySelector(".rows .here")?.scrollIntoView({ block: "nearest" });
  keep();
}

function nothing() {
  if (!groups.length) return "nothing was left out of this dataset";
  return chosen.state === "open" ? "nothing waits for a word here" : "no rows here; choose another filter";
}

function keep() {
  const place = [chosen.config, chosen.stage, chosen.state, rows[at]?.key || ""].map(encodeURIComponent).join("/");
  app.go(place);
}

function turn(by) {
  // Rows that got a word since are no longer among those before the next page.
  const gone = chosen.state === "all" ? 0 : rows.filter((row) => row.state !== chosen.state).length;
  const start = by < 0 ? from - AT_ONCE : from + rows.length - gone;
  if (start >= total - gone || from + by < 0) return app.say(by > 0 ? "this is the last page" : "this is the first page");
  return page(by < 0 ? { from: Math.max(0, start), count: Math.min(from, AT_ONCE), last: true } : { from: start });
}

function move(number) {
  if (number < 0) return from ? turn(-1) : null;
  if (number >= rows.length) return from + rows.length < total ? turn(1) : null;
  root.querySelector(".rows .here")?.classList.remove("here");
  at = number;
  const now = root.querySelector(`.rows [data-at="${number}"]`);
  now.classList.add("here");
  now.scrollIntoView({ block: "nearest" });
  drawDetail();
  return keep();
}

// --- the row looked at ---

function drawDetail() {
  const row = rows[at];
  const detail = root.querySelector(".detail");
  if (!row) return detail.replaceChildren(el("p", { class: "empty" }, nothing()));
  const [kind, word] = TAGS[row.state];
  const measured = Object.entries(row.measured);
  const about = [["config", row.config], ["split", row.split], ["stage", row.stage], ["place", row.place], ["kind", row.kind === "Reject" ? "" : row.kind]];
  const undecidable = row.state === "no sample";
  return detail.replaceChildren(
    el("div", { class: "pad" },
      el("div", { class: "row spread" }, el("h2", { class: "mono" }, row.key || "no sample"), el("span", { class: `tag ${kind}` }, word)),
      el("p", { class: "why" }, row.reason),
      ...row.words.map((one) => el("p", { class: "word" }, el("span", { class: "tag" }, SAID[one.verdict] || one.verdict), ` by ${one.who}${one.reason ? `: ${one.reason}` : ""}`)),
      row.tried ? el("p", { class: "soft" }, "It has been tried again since, and is still out.") : null,
      undecidable
        ? el("p", { class: "soft" }, row.stage === "review" ? "A person left this out: take that back where it was said (u)." : "A row about a file, a table or a folder: there is no sample to decide about.")
        : el("div", { class: "row choices" },
          el("button", { type: "button", class: "primary", onclick: () => decide("accept") }, el("kbd", {}, "y"), " stays out"),
          el("button", { type: "button", onclick: () => decide("retry") }, el("kbd", {}, "n"), " try again"))),
    el("div", { class: "original" }),
    el("div", { class: "pad" },
      el("table", {}, el("tbody", {}, about.filter(([, value]) => value).map(([name, value]) => el("tr", {}, el("th", {}, name), el("td", { class: name === "place" ? "mono" : "" }, value))))),
      measured.length ? el("h3", {}, "Measured until then") : null,
      measured.length ? el("table", { class: "measured" }, el("tbody", {}, measured.map(([name, value]) => el("tr", {},
        el("td", {}, name, facts[name] ? el("small", {}, facts[name]) : null), el("td", { class: typeof value === "number" ? "number" : "" }, worded(value)))))) : null),
    drawOriginal(row),
  );
}

/** What the release holds there; asked for when a row is looked at for a moment, not while keys run past it. */
function drawOriginal(row) {
  clearTimeout(drawOriginal.waiting);
  if (!row.media) return originals || !row.key ? "" : el("p", { class: "pad soft" }, "Start the page with --raw R to see what the release holds here.");
  drawOriginal.waiting = setTimeout(async () => {
    const found = await app.get(`/api/quarantine/original/${row.row}`).catch((error) => ({ problem: error.message }));
    if (rows[at]?.row !== row.row) return;
    const version = app.desk.version;
    const place = { picture: `/api/quarantine/picture/${row.row}.webp?edge=640&v=${version}`, sound: `/api/quarantine/media/${row.row}?v=${version}` };
    const made = found.problem ? el("p", { class: "pad soft" }, `It cannot be shown: ${found.problem}`)
      : found.kind === "picture" ? framed(el, el("img", { src: place.picture, alt: row.place }), found.box, found.size)
        : el(found.kind === "video" ? "video" : "audio", { src: place.sound, controls: true, preload: "metadata" });
    root.querySelector(".original")?.replaceChildren(made);
  }, 120);
  return "";
}

// --- deciding ---

async function decide(verdict) {
  const row = rows[at];
  if (!row || row.state === "no sample") return app.say("there is no sample here to decide about");
  // On to the next row at once: whoever types fast must not decide twice about the same one.
  const atEnd = at + 1 === rows.length;
  if (!atEnd) move(at + 1);
  if (!(await app.decide({ key: row.key, about: "quarantine", verdict }))) return move(rows.indexOf(row));
  if (atEnd && chosen.state === "open") {
    await page({});
    return load();
  }
  return again(row.key);
}

/** Accepts every open row of this page; asks first. */
async function acceptAll() {
  const open = rows.filter((row) => row.state === "open");
  if (!open.length) return app.say("nothing waits for a word on this page");
  if (!acceptAll.asked || Date.now() - acceptAll.asked > 5000) {
    acceptAll.asked = Date.now();
    return app.say(`press A again: all ${open.length} open rows of this page stay out`);
  }
  acceptAll.asked = 0;
  let accepted = 0;
  for (const row of open) {
    if (!(await app.decide({ key: row.key, about: "quarantine", verdict: "accept" }))) break;
    accepted++;
  }
  if (accepted === open.length) app.say(`${accepted} accepted`);
  await page(chosen.state === "open" ? {} : { from });
  return load();
}

/** Shows what is said now of the rows on this page; with `onto`, the row of that key is looked at. */
async function again(key, onto = false) {
  const [mine, turn] = [asked, ++said];
  const found = await app.get("/api/quarantine/rows", { ...chosen, state: "all", at: key, count: 200 });
  if (turn !== said) return null;
  const now = new Map(found.rows.map((row) => [row.row, row]));
  const same = mine === asked;
  if (onto && same && !rows.some((row) => row.key === key)) {
    await page({ at: key });
    return load();
  }
  rows = rows.map((row) => now.get(row.row) || row);
  if (onto && same) at = rows.findIndex((row) => row.key === key);
  drawRows();
  return load();
}

// --- filters ---

async function narrow(changed) {
  chosen = { ...chosen, ...changed };
  drawGroups();
  await page({});
}

function drawFilters() {
  const all = el("option", { value: "", selected: !chosen.pattern }, "every reason");
  const known = patterns.some(({ pattern }) => pattern === chosen.pattern) || !chosen.pattern ? patterns : [{ pattern: chosen.pattern, rows: 0 }, ...patterns];
  root.querySelector(".filters select.pattern").replaceChildren(all, ...known.map(({ pattern, rows: there }) =>
    el("option", { value: pattern, selected: pattern === chosen.pattern }, `${count(there)} × ${pattern}`)));
  root.querySelector(".filters select.state").value = chosen.state;
}

function filters() {
  let typing;
  const search = (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => narrow({ find: event.target.value.trim(), pattern: "" }), 250);
  };
  const changed = (name) => (event) => {
    event.target.blur();
    narrow({ [name]: event.target.value, ...(name === "state" ? { pattern: "" } : {}) });
  };
  return el("div", { class: "filters" },
    el("select", { class: "state", "aria-label": "which rows", onchange: changed("state") }, Object.entries(STATES).map(([state, text]) => el("option", { value: state }, text))),
    el("select", { class: "pattern", "aria-label": "which reason", onchange: changed("pattern") }),
    el("input", { type: "search", value: chosen.find, placeholder: "key, place or reason", "aria-label": "key, place or reason", oninput: search }));
}

export default {
  name: "quarantine",
  title: "Quarantine",
  keys: {
    y: ["stays out", () => decide("accept")],
    n: ["try again", () => decide("retry")],
    ArrowUp: ["row", () => move(at - 1)],
    ArrowDown: ["row", () => move(at + 1)],
    ArrowLeft: ["stage", () => step(-1)],
    ArrowRight: ["stage", () => step(1)],
    PageUp: ["page", () => turn(-1)],
    PageDown: ["page", () => turn(1)],
    A: ["accept this page", acceptAll],
    "/": ["search", () => root.querySelector("input[type=search]").focus()],
  },
  async open(where, shell, place) {
    [root, app] = [where, shell];
    const [config = "", stage = "", state = "", key = ""] = place.split("/").map(decodeURIComponent);
    chosen = { config, stage, state: STATES[state] ? state : "open", pattern: "", find: "" };
    root.replaceChildren(
      el("aside", { class: "card list" }, el("ol", { class: "groups" })),
      el("section", { class: "card list" }, filters(), el("ol", { class: "rows" }), el("div", { class: "pager" })),
      el("aside", { class: "card detail" }),
    );
    await load();
    // Nothing is open: everything is of more use than an empty list.
    if (!STATES[state] && !groups.some((group) => group.open)) chosen.state = "all";
    drawGroups();
    await page(key ? { at: key } : {});
  },
  close() {
    clearTimeout(drawOriginal.waiting);
  },
  changed: (decision) => again(decision.key, true),
};
