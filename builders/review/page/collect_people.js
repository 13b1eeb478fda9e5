// The list of people and their videos, each with its state in a sign and a word.

export const STATES = {
  new: ["○", "nothing marked"],
  marked: ["◐", "marked"],
  scanned: ["◆", "scored"],
  accept: ["✓", "accepted"],
  "turn down": ["✗", "turned down"],
};

export const stateOf = (video) => video.verdict || (video.scanned ? "scanned" : video.screenshots || video.period ? "marked" : "new");

export class People {
  constructor(app, act) {
    this.app = app;
    this.act = act;
    this.foot = app.el("div", { class: "foot" }, app.el("button", { type: "button", onclick: () => act.write() }, "write collection ", app.el("kbd", {}, "w")));
    this.rows = app.el("div", { class: "rows" });
    this.head = app.el("div", { class: "head" });
    this.element = app.el("aside", { class: "people card", "aria-label": "people and their videos" }, this.head, this.rows, this.foot);
  }

  draw(state, here) {
    const { el } = this.app;
    const videos = state.people.flatMap((one) => one.videos);
    const decided = videos.filter((video) => video.verdict).length;
    this.head.replaceChildren(
      el("b", {}, `${state.people.length} ${state.people.length === 1 ? "person" : "people"}`),
      el("small", {}, `${videos.length - decided} of ${videos.length} open`),
    );
    this.foot.firstChild.title = `${state.out}: what the marks keep, as files; facevox build chinese_vf reads it`;
    const before = this.rows.scrollTop;
    this.rows.replaceChildren(...state.people.map((one) => this.person(one, state.least, here)));
    this.rows.scrollTop = before;
    this.rows.querySelector(".here")?.scrollIntoView({ block: "nearest" });
  }

  person(one, least, here) {
    const { el } = this.app;
    const missing = [];
    if (!one.speaker) missing.push("no id");
    if (one.screenshots < least.screenshots) missing.push(`${one.screenshots}/${least.screenshots} faces`);
    if (!one.periods) missing.push("no period");
    const about = el("span", { class: `tag ${missing.length ? "doubt" : "good"}` }, missing.length ? missing[0] : "✓ ready");
    about.title = missing.length ? `needs: ${missing.join(", ")}` : "enough is marked to look for this person";
    return el(
      "section",
      {},
      el("h3", { title: one.folder }, el("span", {}, one.folder), about),
      one.speaker ? el("small", {}, `${one.speaker}${one.gender ? `, ${{ m: "male", f: "female" }[one.gender]}` : ""}`) : null,
      ...one.videos.map((video) => this.video(video, here)),
    );
  }

  video(video, here) {
    const { el } = this.app;
    const kind = stateOf(video);
    const [sign, words] = STATES[kind];
    const marks = [video.screenshots ? `${video.screenshots} face${video.screenshots > 1 ? "s" : ""}` : "", video.period ? "period" : ""];
    return el(
      "button",
      {
        type: "button",
        class: `video ${kind.replace(" ", "-")}${video.id === here ? " here" : ""}`,
        "aria-current": video.id === here ? "true" : null,
        title: `${video.name}: ${words}`,
        onclick: () => this.act.choose(video.id),
      },
      el("span", { class: "sign", "aria-hidden": "true" }, sign),
      el("span", { class: "name" }, video.name),
      el("small", {}, (video.verdict ? [words] : [words, ...marks].filter((text) => text && text !== "marked")).join(" · ")),
    );
  }
}
