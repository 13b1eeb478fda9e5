// The shell of the page: views by location.hash, keys, decisions, undo, the place, progress.
//
// A view is a module NAME.js with `export default {name, title, keys, open(root, app, place), close(), changed(decision)}`:
// open draws into root, place is the text behind "#NAME/" ("" at first); keys = {"y": ["confirm", fn], ...}; close and
// changed (called after an undo; without it the view is opened again) may be left out.

const byId = (id) => document.getElementById(id);
const state = { desk: null, view: null, module: null, place: "", saving: 0, turn: 0 };

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("the server does not answer; is `facevox` still running?");
  }
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.error || `${answer.status} ${answer.statusText}`);
  return body;
}

const app = {
  /** JSON of a GET; params are added to the address, those that are null or "" left out. Throws Error in words. */
  get(path, params = {}) {
    const query = new URLSearchParams(Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== ""));
    return call(query.size ? `${path}?${query}` : path);
  },
  post(path, body = {}, keepalive = false) {
    const headers = { "Content-Type": "application/json", "X-Facevox": "1" };
    return call(path, { method: "POST", headers, body: JSON.stringify(body), keepalive });
  },
  /** One decision {key, about, verdict, value, reason}: on the disk when this returns; said aloud when it fails. */
  async decide(decision) {
    try {
      const made = await app.post("/api/decide", { ...decision, version: state.desk.version });
      app.count();
      return made;
    } catch (error) {
      app.say(error.message, "error");
      return null;
    }
  },
  async undo() {
    try {
      const undone = await app.post("/api/undo");
      if (!undone) return app.say("nothing to undo");
      const what = [undone.about, undone.value].filter((part) => part !== null && part !== "").join(" ");
      app.say(undone.verdict === "undo" ? `taken back: ${what}, ${undone.key}` : `back to ${undone.verdict}: ${what}, ${undone.key}`);
      app.count();
      if (state.module.changed) await state.module.changed(undone);
      else await open(state.view, state.place);
    } catch (error) {
      app.say(error.message, "error");
    }
  },
  /** Keep the place in this view: in the address and, for the next start, on the server. */
  go(place) {
    state.place = place;
    history.replaceState(null, "", `#${state.view}/${place}`);
    clearTimeout(state.saving);
    state.saving = setTimeout(save, 250);
  },
  /** Leave for another view. */
  show(view, place = "") {
    location.hash = `#${view}/${place}`;
  },
  say(text, kind = "") {
    const said = byId("said");
    said.textContent = text;
    said.className = `shown ${kind}`;
    clearTimeout(app.said);
    app.said = setTimeout(() => (said.className = ""), kind === "error" ? 9000 : 3500);
  },
  /** What is done of what there is, in the head of the page. */
  left(done, total) {
    byId("progress").hidden = !total;
    byId("meter").max = total;
    byId("meter").value = done;
    byId("left").textContent = total ? `${(total - done).toLocaleString("en")} left of ${total.toLocaleString("en")}` : "";
  },
  /** Ask the server what is left in this view. */
  async count() {
    const mine = (app.counts = (app.counts || 0) + 1);
    const left = await app.get("/api/left").catch(() => ({}));
    if (mine !== app.counts) return;
    const own = left[state.view];
    if (own) app.left(own[0], own[1]);
    else app.left(0, 0);
  },
  /** An element: el("button", {class: "primary", onclick: fn, title: "..."}, "text", child, ...). */
  el(tag, attributes = {}, ...children) {
    const made = tag === "svg" || tag.startsWith("svg:")
      ? document.createElementNS("http://www.w3.org/2000/svg", tag.replace("svg:", ""))
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (name === "value" || name === "checked" || name === "selected") made[name] = value;
      else made.setAttribute(name, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return made;
  },
  /** Address of a member, of one of its frames (from 1), or of its thumbnail. */
  media: (config, key, field, frame) =>
    `/media/${[config, key, field].map(encodeURIComponent).join("/")}${frame ? `/${frame}.webp` : ""}?v=${state.desk.version}`,
  thumb: (config, key, field, frame) =>
    `/thumb/${[config, key, field].map(encodeURIComponent).join("/")}${frame ? `/${frame}.webp` : ""}?v=${state.desk.version}`,
  /** Call again when a view's own keys changed. */
  keys: () => drawKeys(),
  get desk() {
    return state.desk;
  },
};

function save(leaving = false) {
  clearTimeout(state.saving);
  state.saving = 0;
  app.post("/api/place", { view: state.view, place: state.place }, leaving).catch(() => {});
}

addEventListener("pagehide", () => state.saving && save(true));

// Whatever fails is said: an answer that does not come must not look like one.
addEventListener("unhandledrejection", (event) => app.say(event.reason?.message || String(event.reason), "error"));

const COMMON = {
  u: ["undo", () => app.undo()],
  "?": ["all keys", () => help()],
};
const NAMES = { Shift: "⇧", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", " ": "space", Enter: "↵", Escape: "esc" };
const cap = (key) => app.el("kbd", {}, key === "+" ? key : key.split("+").map((part) => NAMES[part] || part).join(""));

/** Keys in order, those of one text together: [[keys], text]. */
function grouped(keys) {
  const groups = new Map();
  for (const [key, [text]] of Object.entries(keys)) groups.set(text, [...(groups.get(text) || []), key]);
  return [...groups].map(([text, own]) => [own, text]);
}

function drawKeys() {
  const shown = grouped({ u: COMMON.u, ...state.module?.keys });
  byId("keys").replaceChildren(...shown.map(([keys, text]) => app.el("span", {}, keys.map(cap), ` ${text}`)));
}

function help() {
  const sheet = byId("sheet");
  const views = state.desk.views.map((view, at) => [String(at + 1), [`view: ${view.title.toLowerCase()}`]]);
  const keys = grouped({ ...state.module?.keys, ...COMMON, ...Object.fromEntries(views.length > 1 ? views : []), ...state.module?.keys });
  const rows = keys.map(([own, text]) => app.el("div", {}, app.el("dt", {}, own.map(cap)), app.el("dd", {}, text)));
  sheet.replaceChildren(
    app.el("h2", {}, "Keys"),
    app.el("dl", {}, ...rows),
    app.el("form", { method: "dialog" }, app.el("button", { class: "primary" }, "close")),
  );
  sheet.showModal();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("sheet").open) return;
  const field = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  // Space and Enter belong to a focused button.
  if ((event.key === " " || event.key === "Enter") && event.target.closest?.("button, a, summary")) return;
  const named = event.shiftKey && event.key.length > 1 ? `Shift+${event.key}` : event.key;
  const chosen = state.module?.keys?.[named] || COMMON[named];
  const number = Number(event.key) - 1;
  if (chosen) {
    event.preventDefault();
    chosen[1](event);
  } else if (number in (state.desk?.views || [])) {
    app.show(state.desk.views[number].name, state.desk.places[state.desk.views[number].name] || "");
  }
});

function tabs() {
  const links = state.desk.views.map(({ name, title }) => {
    const here = name === state.view;
    const place = state.desk.places[name] || "";
    return app.el("a", { href: `#${name}/${place}`, class: here ? "here" : "", "aria-current": here ? "page" : null }, title);
  });
  byId("views").replaceChildren(...links);
}

async function open(name, place) {
  state.module?.close?.();
  if (state.view) state.desk.places[state.view] = state.place;
  state.view = name;
  state.place = place;
  // A view that is left while it opens draws on where nobody looks, and has no place any more.
  const mine = ++state.turn;
  const root = app.el("main", { id: "view", tabindex: "-1", class: name });
  byId("view").replaceWith(root);
  const shell = Object.create(app, { go: { value: (where) => mine === state.turn && app.go(where) } });
  app.left(0, 0);
  try {
    const module = (await import(`./${name}.js`)).default;
    if (mine !== state.turn) return;
    state.module = module;
    tabs();
    drawKeys();
    document.title = `${module.title} · ${state.desk.title}`;
    await module.open(root, shell, place);
    if (mine !== state.turn) return;
    drawKeys();
    app.go(state.place);
    await app.count();
    root.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== state.turn) return;
    root.replaceChildren(app.el("p", { class: "empty" }, error.message));
    app.say(error.message, "error");
  }
}

function route() {
  const [, name, place] = location.hash.match(/^#([a-z_]+)\/?(.*)$/) || [];
  const { views, places } = state.desk;
  const known = views.find((view) => view.name === name)?.name;
  const last = known || views.find((view) => view.name === places[""])?.name || views[0]?.name;
  if (!last) return byId("view").replaceChildren(app.el("p", { class: "empty" }, "nothing to review here"));
  return open(last, (known && place && decodeURI(place)) || places[last] || "");
}

async function start() {
  try {
    state.desk = await app.get("/api/desk");
  } catch (error) {
    byId("view").replaceChildren(app.el("p", { class: "empty" }, error.message));
    return;
  }
  byId("title").textContent = state.desk.title;
  byId("who").textContent = state.desk.who;
  byId("help").addEventListener("click", help);
  addEventListener("hashchange", route);
  await route();
}

start();
