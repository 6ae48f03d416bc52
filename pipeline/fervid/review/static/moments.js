// The strongest moments of an expression over all videos: a still of each, which leads to the moment in its video.

import { hashOf } from "./address.js";
import { announce, clock, count, fill, h } from "./dom.js";

export class MomentsView {
  /** `list` is that of the runs; `options` has the label. */
  constructor(list, { carrier, keeper, shelf, options }) {
    Object.assign(this, { list, carrier, keeper, shelf });
    this.cards = new Map(list.runs.map((card) => [card.id, card]));
    this.labels = Object.keys(list.colours);
    this.label = this.labels.includes(options.get("label")) ? options.get("label") : this.labels.find((label) => label === "happy") ?? this.labels[0];
    this.current = options.get("focus");
    this.buttons = h("div", { class: "filters", role: "group", "aria-label": "Expression" });
    this.status = h("p", { class: "quiet", role: "status" });
    this.body = h("ol", { class: "moments-grid", "aria-label": "Strongest moments" });
    this.body.addEventListener("focusin", (event) => {
      this.current = event.target.dataset.moment ?? this.current;
      this._write();
    });
    this.element = h("div", { class: "moments-page" }, h("header", { class: "queue-head" }, h("h1", { tabindex: "-1" }, "Strongest moments"), this.status),
      h("p", { class: "quiet" }, "Where usable faces look most like an expression: up to five of each video, at least a second apart. A high score is no proof."),
      this.buttons, this.body);
    this.draw();
  }

  async draw() {
    fill(this.buttons, this.labels.map((label) => {
      const dot = h("span", { class: "dot", "aria-hidden": "true" });
      dot.style.background = this.list.colours[label];
      return h("button", { type: "button", "aria-pressed": String(label === this.label), onclick: () => this._choose(label) }, dot, label);
    }));
    const { label } = this;
    this.status.textContent = "Looking at the scores …";
    this._write();
    let moments = [];
    try {
      moments = await this.carrier.moments(label);
    } catch (problem) {
      this.status.textContent = String(problem.message ?? problem);
      return;
    }
    if (label !== this.label || this.isGone) return;
    this.status.textContent = moments.length ? `${count(moments.length, "moment")}, the strongest first` : "No usable face in these videos.";
    fill(this.body, moments.map((moment) => this._moment(moment)));
    if (this.current) this.focusCurrent();
    announce(`${label}: ${this.status.textContent}`);
  }

  focusCurrent() {
    const link = this.body.querySelector(`[data-moment="${CSS.escape(this.current)}"]`);
    link?.focus({ preventScroll: true });
    link?.scrollIntoView({ block: "nearest" });
  }

  onKey() {
    return false;
  }

  redraw() {}

  focus() {
    this.element.querySelector("h1").focus({ preventScroll: true });
  }

  destroy() {
    this.isGone = true;
  }

  _choose(label) {
    this.label = label;
    this.current = null;
    this.draw();
    this.buttons.querySelector("[aria-pressed=true]")?.focus();
  }

  _moment(moment) {
    const card = this.cards.get(moment.run);
    const name = `${moment.run}@${Math.round(moment.time_s * 1000)}`;
    const shot = h("span", { class: "shot", "aria-hidden": "true" });
    if (card?.has_video) shot.append(h("span", { class: "frame" }, this.shelf.hang(h("img", { alt: "" }), name)));
    return h("li", {}, h("a", { href: `#/run/${moment.run}@${moment.time_s.toFixed(2)}`, "data-moment": name },
      shot, h("b", {}, `${this.label} ${moment.value.toFixed(2)}`),
      h("span", {}, card?.name ?? moment.run), h("span", { class: "quiet" }, `${clock(moment.time_s)} · track ${moment.track_id}`)));
  }

  _write() {
    this.keeper.write(hashOf("moments", { label: this.label, focus: this.current }));
  }
}
