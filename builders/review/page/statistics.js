// The tables of the publication beside this folder's, and its histograms.

let app, root, watching;

const el = (...parts) => app.el(...parts);
const LONG = 44;

function table(found, number) {
  const { title, columns, numbers, rows, notes } = found;
  const long = rows.some((row) => row.some((cell) => cell.length > LONG));
  return el("section", { class: "card pad", id: `table-${number}` },
    el("h2", {}, title),
    long ? paragraphs(columns, rows) : grid(columns, numbers, rows),
    ...notes.map((note) => el("p", { class: "note" }, note)));
}

function grid(columns, numbers, rows) {
  const side = (place) => (numbers[place] ? "number" : "");
  const kinds = { built: "built", here: "built", "this folder": "built", difference: "difference" };
  const body = rows.map((row) => {
    const kind = row.map((cell) => kinds[cell]).find(Boolean) || "";
    const first = row[0] && row[0] !== "-" ? "first" : "";
    return el("tr", { class: `${kind} ${first}` }, row.map((cell, place) => el("td", { class: side(place) }, cell === "-" ? "–" : cell)));
  });
  return el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, columns.map((name, place) => el("th", { class: side(place) }, name)))), el("tbody", {}, body)));
}

function paragraphs(columns, rows) {
  return el("dl", {}, rows.flatMap(([first, head, ...rest]) => [
    el("dt", {}, `${first} ${head}`),
    ...rest.map((cell, place) => el("dd", {}, el("small", {}, `${columns[place + 2]}: `), cell)),
  ]));
}

/** One picture of all histograms: drawn by the server when first asked for, which takes some seconds. */
function drawn(titles) {
  const waiting = el("figcaption", {}, "drawing the histograms…");
  const source = `/api/statistics/histograms.png?v=${app.desk.version}`;
  const image = el("img", { src: source, alt: titles.join("; "), onload: () => waiting.remove() });
  return el("figure", {}, image, waiting);
}

function sections() {
  return [...root.querySelectorAll(".tables > section")];
}

/** Which section is read: the last that begins above the middle of the upper half. */
function current() {
  const top = root.querySelector(".tables").getBoundingClientRect().top;
  const above = sections().filter((one) => one.getBoundingClientRect().top <= top + 120);
  const pane = root.querySelector(".tables");
  const atEnd = pane.scrollTop > 0 && pane.scrollTop + pane.clientHeight >= pane.scrollHeight - 2;
  return atEnd ? sections().length - 1 : Math.max(0, above.length - 1);
}

function mark() {
  const here = current();
  for (const [number, one] of [...root.querySelectorAll("nav a")].entries()) {
    one.classList.toggle("here", number === here);
    if (number === here) one.scrollIntoView({ block: "nearest" });
  }
  app.go(String(here));
}

function go(number) {
  sections()[number]?.scrollIntoView({ block: "start" });
}

export default {
  name: "statistics",
  title: "Statistics",
  keys: {
    ArrowUp: ["scroll", () => root.querySelector(".tables").scrollBy(0, -80)],
    ArrowDown: ["scroll", () => root.querySelector(".tables").scrollBy(0, 80)],
    ArrowLeft: ["table", () => go(current() - 1)],
    ArrowRight: ["table", () => go(current() + 1)],
    PageUp: ["page", () => root.querySelector(".tables").scrollBy(0, -500)],
    PageDown: ["page", () => root.querySelector(".tables").scrollBy(0, 500)],
  },
  async open(where, shell, place) {
    [root, app] = [where, shell];
    root.replaceChildren(el("p", { class: "empty" }, "counting…"));
    const found = await app.get("/api/statistics/tables");
    const titles = [...found.tables.map((one) => one.title), ...(found.histograms.length ? ["Histograms"] : [])];
    const figure = found.histograms.length
      ? el("section", { class: "card pad", id: `table-${found.tables.length}` }, el("h2", {}, "Histograms"),
        drawn(found.histograms))
      : null;
    const links = titles.map((title, number) => el("a", { href: `#table-${number}`, onclick: (event) => { event.preventDefault(); go(number); } }, title));
    root.replaceChildren(
      el("nav", { class: "card list", "aria-label": "tables" }, links),
      el("div", { class: "tables" }, el("h1", {}, found.title), el("p", { class: "soft" }, `${found.samples.toLocaleString("en")} samples; counted in tables/ of ${app.desk.title}`), found.tables.map(table), figure || ""),
    );
    const pane = root.querySelector(".tables");
    go(Number(place) || 0);
    if (!Number(place)) pane.scrollTop = 0;
    pane.addEventListener("scroll", () => {
      clearTimeout(watching);
      watching = setTimeout(mark, 100);
    });
    mark();
  },
  close() {
    clearTimeout(watching);
  },
};
