// What can be taken away from a run: the charts as an image, and from a server clips, stills, tables and evidence.

import { announce, fill, h } from "./dom.js";

export class TakeAway {
  constructor(view) {
    this.view = view;
    this.element = h("section", { class: "panel takeaway", "aria-label": "Take it away" });
    this._draw();
  }

  destroy() {
    this.isGone = true;
  }

  focus() {
    this.element.querySelector("button")?.focus();
  }

  onSelect() {
    this._draw();
  }

  _draw() {
    fill(this.element, h("h2", {}, "Take it away"),
      h("div", { class: "group" },
        h("button", { type: "button", onclick: () => this._chart("png") }, "Chart as PNG"),
        h("button", { type: "button", onclick: () => this._chart("svg") }, "Chart as SVG")));
  }

  async _chart(kind) {
    const blob = await this.view.charts.file(kind);
    saveAs(blob, `${this.view.recording.content.folder}-chart.${kind}`);
    announce(`Saved the chart as ${kind.toUpperCase()}`);
  }
}

/** Lets the browser save a file that the page made. */
export function saveAs(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
