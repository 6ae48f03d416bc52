// What can be taken away from a run: the charts as an image, and from a server clips, stills, tables and evidence.

import { announce, clock, fill, h } from "./dom.js";

const JOB_EVERY_MS = 400;
const LIST_AFTER_MS = 400;
const WORDS = { clip: "clip", still: "still", table: "table", evidence: "evidence", explanation: "explanation" };

export class TakeAway {
  /** `view`: the run's view, of which it uses carrier, charts, alerts, player, recording and id. */
  constructor(view) {
    this.view = view;
    this.buttons = h("div", { class: "group" });
    this.state = h("div", { class: "jobs", role: "status" });
    this.list = h("ul", { class: "taken" });
    this.element = h("section", { class: "panel takeaway", "aria-label": "Take it away" }, h("h2", {}, "Take it away"), this.buttons, this.state, this.list);
    this.draw();
    if (view.carrier.isServed) this.timer = setTimeout(() => this._load(), LIST_AFTER_MS);
  }

  destroy() {
    clearTimeout(this.timer);
    this.isGone = true;
  }

  focus() {
    this.buttons.querySelector("button")?.focus();
  }

  onSelect() {
    this.draw();
  }

  /** The stretch that is meant: the selection, else the current alert, else what is shown of the timeline. */
  get stretch() {
    const { timeline } = this.view.charts;
    const { current } = this.view.alerts ?? {};
    if (timeline.selection) return { range: timeline.selection, words: "the selection" };
    if (current) return { range: [current.start_s, current.end_s], words: "the alert" };
    return { range: timeline.view, words: "the stretch in view" };
  }

  draw() {
    const { carrier, alerts } = this.view;
    const button = (text, action, isOff = false) => h("button", { type: "button", onclick: action, disabled: isOff }, text);
    const hasVideo = Boolean(this.view.recording.content.media?.file);
    const served = !carrier.isServed ? [] : [
      button(`Clip of ${this.stretch.words}`, () => this._take("clip"), !hasVideo),
      button("Still of this moment", () => this._take("still"), !hasVideo),
      button(`CSV of ${this.stretch.words}`, () => this._take("table")),
      button("Evidence of the alert", () => this._take("evidence"), !hasVideo || alerts?.current?.tier !== "alert"),
      button("Explain the face now", () => this._explain(), !hasVideo),
    ];
    fill(this.buttons, served, button("Chart as PNG", () => this._chart("png")), button("Chart as SVG", () => this._chart("svg")));
  }

  async _chart(kind) {
    const blob = await this.view.charts.file(kind);
    saveAs(blob, `${this.view.recording.content.folder}-chart.${kind}`);
    announce(`Saved the chart as ${kind.toUpperCase()}`);
  }

  /** The explanation of the largest face of the moment. */
  async _explain() {
    const { player, recording } = this.view;
    const [largest] = recording.facesAt(player.time).sort((a, b) => b.box[2] * b.box[3] - a.box[2] * a.box[3]);
    if (!largest) return this._say("No face is tracked at this moment.");
    const name = await this._take("explanation", { track: largest.track.id }, false);
    if (!name) return;
    const address = this._address(name);
    const dialog = h("dialog", { class: "wide-dialog", "aria-label": "Explanation of a face" },
      h("img", { src: address, alt: `Which part of the face of track ${largest.track.id} made its score`, class: "explanation" }),
      h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  /** Lets the server make a file, shows how far it is, and saves it; its name, or null where it failed. */
  async _take(what, more = {}, saves = true) {
    const { carrier, id, player, alerts } = this.view;
    const isMoment = what === "still" || what === "explanation";
    const [from, to] = isMoment ? [player.time, player.time] : what === "evidence" ? [alerts.current.start_s, alerts.current.end_s] : this.stretch.range;
    const values = { what, from, to, ...(alerts?.current && what === "evidence" ? { alert: alerts.current.alert_id } : {}), ...(carrier.name ? { by: carrier.name } : {}), ...more };
    const bar = h("progress", { max: 1, value: 0, "aria-label": `Progress of the ${WORDS[what]}` });
    const line = h("p", {}, `${WORDS[what]}, ${clock(from)}${isMoment ? "" : ` to ${clock(to)}`} `, bar);
    this.state.append(line);
    try {
      const { job } = await carrier.begin(id, "take", values);
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, JOB_EVERY_MS));
        if (this.isGone) return null;
        const found = await carrier.job(job);
        bar.value = found.share;
        if (found.state === "failed") throw new Error(found.problem);
        if (found.state !== "done") continue;
        line.remove();
        announce(`Exported ${found.file}`);
        if (saves) h("a", { href: this._address(found.file), download: found.file }).click();
        await this._load();
        return found.file;
      }
    } catch (problem) {
      line.remove();
      this._say(`Not exported: ${problem.message}`);
      return null;
    }
  }

  _say(text) {
    const line = h("p", { class: "problem" }, text, " ", h("button", { type: "button", class: "link", onclick: () => line.remove() }, "Hide"));
    this.state.append(line);
  }

  _address(name) {
    return `/taken/${encodeURIComponent(this.view.id)}/${encodeURIComponent(name)}`;
  }

  /** What was exported from this run before, by whom and when. */
  async _load() {
    try {
      const { taken } = await this.view.carrier.ask(this.view.id, "taken");
      if (this.isGone) return;
      fill(this.list, taken.map((one) => h("li", {},
        one.is_there ? h("a", { href: this._address(one.file), download: one.file }, WORDS[one.what] ?? one.what) : h("span", {}, WORDS[one.what] ?? one.what),
        ` ${clock(one.start_s)}${one.end_s > one.start_s ? ` to ${clock(one.end_s)}` : ""}`,
        h("small", {}, ` exported by ${one.by}, ${new Date(one.time_utc).toLocaleString()}`))));
      this.view.alerts.exported = new Set(taken.map((one) => one.alert_id).filter(Boolean));
    } catch (problem) {
      this._say(problem.message);
    }
  }
}

/** Lets the browser save a file that the page made. */
export function saveAs(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
