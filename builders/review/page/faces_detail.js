// The face looked at: large, with every score, and what people say of it.

import { framed, limit, scoresOf, shown, worded } from "./facts.js";

/** A verdict in words; keep picks only where a build picks. */
export function said(config, verdict) {
  return { keep: config.wanted ? "✓ picked" : "✓ confirmed", "leave out": "✕ left out", "in conflict": "≠ people disagree" }[verdict] || verdict;
}

const AFTER = 150;
/* milliseconds that a face is looked at before its large picture is asked for: keys may run past it */

/** Address of a face's picture, small or large; null where there is none. */
export function source(app, config, field, face, large = false) {
  if (face.kept) {
    const name = face.fields.includes(field) ? field : face.fields[0];
    return large ? app.media(config.name, face.key, name) : app.thumb(config.name, face.key, name);
  }
  if (!face.picture) return null;
  return `/api/quarantine/picture/${face.row}.webp?${large ? "edge=640" : "of=face"}&v=${app.desk.version}`;
}

function look(app, config, field, face) {
  const { el } = app;
  const small = source(app, config, field, face);
  if (!small) return el("figure", { class: "look nothing" }, config.originals ? "no picture of this one" : "start the page with --raw R to see it");
  const alt = `face ${face.key}`;
  const made = el("figure", { class: "look" }, el("img", { src: small, alt }));
  clearTimeout(look.waiting);
  look.waiting = setTimeout(() => {
    const image = el("img", { src: source(app, config, field, face, true), alt });
    const whole = face.kept ? image : framed(el, image, face.box, [face.facts.frame_width || face.facts.width, face.facts.frame_height || face.facts.height]);
    image.addEventListener("load", () => made.replaceChildren(whole), { once: true });
  }, AFTER);
  return made;
}

/** Draws a face into the pane at the side. */
export function drawDetail(pane, app, config, field, face) {
  const { el } = app;
  if (!face) return pane.replaceChildren(el("p", { class: "empty" }, "no face"));
  const used = new Set(config.scores.map((score) => score.fact));
  const others = Object.entries(face.facts).filter(([name, value]) => !used.has(name) && value !== null);
  return pane.replaceChildren(
    look(app, config, field, face),
    el("div", { class: "pad" },
      el("div", { class: "row spread" }, el("span", { class: "mono" }, face.key), face.kept
        ? el("span", { class: "tag good" }, "● in the dataset") : el("span", { class: "tag" }, `○ ${face.stage}`)),
      face.reason ? el("p", { class: "why" }, face.reason) : null,
      face.words.map((word) => el("p", { class: "word" },
        el("span", { class: `tag ${word.verdict === "keep" ? "good" : "bad"}` }, said(config, word.verdict)),
        ` by ${word.who}${word.reason ? `: ${word.reason}` : ""}`)),
      el("table", { class: "measured" }, el("tbody", {}, scoresOf(config.scores, face.facts).map(({ score, value, fails }) =>
        el("tr", { class: fails ? "fails" : "", title: config.facts[score.fact] || "" },
          el("td", {}, score.meaning), el("td", { class: "number" }, shown(value)),
          el("td", { class: "limit" }, fails ? `✕ ${limit(score)}` : limit(score)))))),
      el("details", {}, el("summary", {}, "all facts"), el("table", { class: "measured" }, el("tbody", {}, others.map(([name, value]) =>
        el("tr", { title: config.facts[name] || "" }, el("td", {}, name), el("td", {}, worded(value)))))))),
  );
}

/** Shows a face as large as the window allows, or no longer. */
export function zoom(sheet, app, config, field, face) {
  if (sheet.open) return sheet.close();
  if (!face || !source(app, config, field, face)) return null;
  sheet.showModal();
  return drawZoom(sheet, app, config, field, face);
}

/** Puts a face into the open sheet: arrow keys move on while it is large. */
export function drawZoom(sheet, app, config, field, face) {
  if (!sheet.open) return;
  const place = source(app, config, field, face, true);
  const state = face.says ? ` · ${said(config, face.says)}` : "";
  sheet.replaceChildren(
    place ? app.el("img", { src: place, alt: `face ${face.key}` }) : app.el("p", { class: "empty" }, "no picture of this one"),
    app.el("p", {}, face.key, state),
  );
}
