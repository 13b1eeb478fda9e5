// The right side: whose video it is, its marks, detection, scores, verdict, each step with its number.

import { clock } from "./collect_timeline.js";

const GENDERS = { "": "not known", f: "female", m: "male" };

export class Panel {
  /** act: bind(speaker, gender), drop(screenshot), seek(ms), capture(), setEnd(which), play(), detect(all), stop(), verdict(word). */
  constructor(app, act, scores) {
    const { el } = app;
    this.app = app;
    this.act = act;
    this.whose = el("div", { class: "whose" });
    this.faces = el("div", { class: "thumbs" });
    this.faceCount = el("span", { class: "tag" });
    this.span = el("div", { class: "row span" });
    this.periodState = el("span", { class: "tag" });
    this.detection = el("span", { class: "row" });
    this.bar = el("progress", { max: 1, value: 0 });
    this.runText = el("small", {});
    this.stop = this.button("stop", "x", () => act.stop());
    this.running = el("div", { class: "row running", role: "status", hidden: true }, this.bar, this.runText, el("span", { class: "push" }, this.stop));
    this.word = el("span", { class: "tag" });
    this.reason = el("small", {});
    this.asking = el("form", { class: "row asking", hidden: true });
    this.words = el("span", { class: "push row" }, this.button("turn down", "n", () => act.verdict("turn down")), this.button("accept", "y", () => act.verdict("accept"), "primary"));
    this.element = el(
      "aside",
      { class: "panel", "aria-label": "steps" },
      el("section", { class: "card pad step" }, this.whose),
      this.step("1", "Faces of the target", this.faceCount, this.button("take face", "c", () => act.capture()), this.faces),
      this.step("2", "Period of the target's voice", this.periodState, null, this.span),
      this.step("3", "Scores", null, this.detection, this.running, scores.element),
    );
    this.verdictElement = el(
      "section",
      { class: "card pad step verdict row", "aria-label": "verdict" },
      el("b", { class: "number" }, "4"), el("h3", {}, "Verdict"), this.word, this.reason, this.asking, this.words,
    );
  }

  step(number, title, state, action, ...body) {
    const { el } = this.app;
    return el(
      "section",
      { class: "card pad step" },
      el("div", { class: "row" }, el("b", { class: "number" }, number), el("h3", {}, title), state, el("span", { class: "push row" }, action)),
      ...body,
    );
  }

  button(text, key, act, kind = "") {
    return this.app.el("button", { type: "button", class: kind, onclick: act }, text, " ", this.app.el("kbd", {}, key));
  }

  tag(place, good, text) {
    place.className = `tag ${good ? "good" : "doubt"}`;
    place.textContent = `${good ? "✓ " : ""}${text}`;
  }

  // --- whose it is ---

  bound(state, person) {
    const { el } = this.app;
    if (!person.speaker) return this.whose.contains(document.activeElement) || this.bind(state, person, false);
    this.whose.replaceChildren(
      el("div", { class: "row" }, el("h2", { title: person.folder }, person.folder), el("span", { class: "tag mine" }, person.speaker),
        el("small", {}, `gender ${GENDERS[person.gender]}`), el("span", { class: "push" }, this.button("change", "b", () => this.bind()))),
    );
  }

  bind(state = this.state, person = this.person, typing = true) {
    const { el } = this.app;
    const speaker = el("input", { type: "text", value: person.speaker || state.suggested, size: "8", "aria-label": "speaker id", pattern: "cvf[0-9]{4,6}" });
    const gender = el("select", { "aria-label": "gender" }, ...Object.entries(GENDERS).map(([value, text]) => el("option", { value, selected: value === person.gender }, text)));
    const form = el(
      "form",
      { class: "row", title: "the name stays in your folder; only the id goes into the collection" },
      el("h2", { title: person.folder }, person.folder), el("span", {}, "is"), speaker, gender,
      el("span", { class: "push" }, el("button", { class: "primary" }, "set id")),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      document.activeElement?.blur();
      this.act.bind(speaker.value.trim(), gender.value);
    });
    this.whose.replaceChildren(form);
    if (typing) speaker.select();
  }

  // --- marks ---

  marks(state, person, detail) {
    this.state = state;
    this.person = person;
    this.detail = detail;
    const { el } = this.app;
    this.bound(state, person);
    const enough = person.screenshots >= state.least.screenshots;
    this.tag(this.faceCount, enough, enough ? `${person.screenshots} taken` : `${person.screenshots} of ${state.least.screenshots}`);
    const elsewhere = person.screenshots - detail.screenshots.length;
    this.faces.replaceChildren(...detail.screenshots.map((shot) => this.shot(shot)));
    const note = elsewhere ? `${elsewhere} in other videos` : "Pause where the face is sharp and take it: three or more in all.";
    if (elsewhere || !detail.screenshots.length) this.faces.append(el("small", {}, note));
    this.verdict(detail);
    const ready = enough && person.periods && person.speaker;
    const can = ready && !detail.facts.problem;
    const here = this.button("detect here", "d", () => this.act.detect(false), can ? "primary" : "");
    here.disabled = !can;
    here.title = can ? "" : `needs ${[person.speaker ? "" : "an id", enough ? "" : "faces", person.periods ? "" : "a period"].filter(Boolean).join(", ") || "a readable video"}`;
    this.detection.replaceChildren(here, this.button("all ready", "a", () => this.act.detect(true)));
  }

  shot(shot) {
    const { el } = this.app;
    const box = shot.box ? `&box=${shot.box.join(",")}` : "";
    return el(
      "span",
      { class: "thumb" },
      el("button", { type: "button", title: `taken at ${clock(shot.ms, 2)}: go there`, onclick: () => this.act.seek(shot.ms) },
        el("img", { src: `/api/collect/videos/${this.detail.id}/face/${shot.ms}.webp?v=${this.detail.version}${box}`, alt: `face at ${clock(shot.ms, 2)}` })),
      el("button", { type: "button", class: "drop", title: "take this face away", "aria-label": `take the face at ${clock(shot.ms, 2)} away`, onclick: () => this.act.drop(shot) }, "×"),
    );
  }

  period(period, edge) {
    const { el } = this.app;
    const least = this.state.least.period_ms;
    const others = this.person.periods - (this.detail.period ? 1 : 0);
    if (!period) {
      this.tag(this.periodState, others > 0, others > 0 ? `${others} in other videos` : "none yet");
      this.span.replaceChildren(el("small", {}, `Drag over ${least / 1000} s or more of the waveform in which only the target talks.`));
      return;
    }
    const seconds = (period.end - period.start) / 1000;
    this.tag(this.periodState, seconds * 1000 >= least, `${seconds.toFixed(1)} s`);
    const end = (which) => el("button", { type: "button", class: `time mono${edge === which ? " here" : ""}`, title: `the ${which}: , and . move it by one frame`, onclick: () => this.act.edge(which) }, clock(period[which], 3));
    this.span.replaceChildren(end("start"), "–", end("end"), el("span", { class: "push row" }, this.button("play", "p", () => this.act.play())));
  }

  // --- detection ---

  run(run) {
    const words = Object.entries(run.words).map(([name, said]) => (name ? `${name}: ${said}` : said));
    this.running.hidden = !run.running && !run.error && !words.length;
    const share = run.total ? (run.done + (run.running && run.done < run.total ? run.share : 0)) / run.total : 0;
    this.bar.value = share;
    this.bar.hidden = this.stop.hidden = !run.running;
    const most = run.kind === "scores" ? `${run.done} of ${run.total} videos` : `writing ${this.state?.out || ""}`;
    const starting = run.running && !run.seconds;
    const said = run.error || words.join("; ");
    this.runText.textContent = starting ? "starting …" : run.running ? `${Math.round(100 * share)} % · ${most} · ${Math.round(run.seconds)} s` : said.split("\n")[0];
    this.runText.title = said;
  }

  // --- the verdict ---

  verdict(detail) {
    const words = { accept: ["tag good", "✓ accepted"], "turn down": ["tag bad", "✗ turned down"], "": ["tag", "open"] };
    [this.word.className, this.word.textContent] = words[detail.verdict];
    this.reason.textContent = this.reason.title = detail.reason;
  }

  /** A line of text, then Enter; Escape leaves it. */
  ask(question, done) {
    const { el } = this.app;
    const words = el("input", { type: "text", placeholder: question, "aria-label": question, maxlength: "300" });
    const close = (hidden) => {
      this.asking.hidden = hidden;
      this.words.hidden = !hidden;
    };
    this.asking.replaceChildren(words, el("button", { class: "primary" }, "turn down"));
    this.asking.onsubmit = (event) => {
      event.preventDefault();
      close(true);
      done(words.value.trim());
    };
    words.addEventListener("blur", () => setTimeout(() => this.asking.contains(document.activeElement) || close(true), 200));
    close(false);
    words.focus();
  }
}
