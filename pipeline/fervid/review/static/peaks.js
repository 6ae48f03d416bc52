// The strongest moments of a run per expression, as a list that leads to each.

import { colourDot } from "./chartpanel.js";
import { clock, fill, h } from "./dom.js";

export class PeaksDialog {
  constructor(recording, { onSeek }) {
    this.recording = recording;
    this.onSeek = onSeek;
    this.body = h("div", { class: "peaks" });
    this.element = h("dialog", { "aria-labelledby": "peaks-title", class: "wide-dialog" },
      h("h2", { id: "peaks-title" }, "Peaks per expression"),
      h("p", { class: "quiet" }, "The moments of this video at which a usable face shows each expression most, at least a second apart. A high score is no proof."),
      this.body, h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
    this.element.addEventListener("close", () => this.element.remove());
  }

  open() {
    const { labels, colours, content } = this.recording;
    fill(this.body, h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "expression"), h("th", { scope: "col" }, "strongest moments"))),
      h("tbody", {}, labels.map((label) => {
        const found = content.peaks?.[label] ?? [];
        return h("tr", {}, h("th", { scope: "row" }, colourDot(colours[label]), label),
          h("td", {}, found.length ? h("div", { class: "moments" }, found.map((peak) => h("button", {
            type: "button", "aria-label": `${label} ${peak.value.toFixed(2)} at ${clock(peak.time_s)}, track ${peak.track_id}`,
            onclick: () => {
              this.element.close();
              this.onSeek(peak.time_s);
            },
          }, h("b", {}, peak.value.toFixed(2)), ` ${clock(peak.time_s)} · ${peak.track_id}`))) : h("span", { class: "quiet" }, "no usable face")));
      }))));
    document.body.append(this.element);
    this.element.showModal();
  }
}
