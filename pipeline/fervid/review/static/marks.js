// What moves over the charts: cursor, pointer, selection, and the card with the values at the pointer.
// They are elements of their own that the browser shifts: a moved cursor paints no chart anew.

import { clamp, fill, h } from "./dom.js";

const CARD_GAP_PX = 16;

/** Cursor, pointer and selection as elements over a chart of some width. */
export class Marks {
  constructor() {
    this.selection = h("div", { class: "mark-selection", hidden: true });
    this.pointer = h("div", { class: "mark-pointer", hidden: true });
    this.cursor = h("div", { class: "mark-cursor", hidden: true });
    this.elements = [this.selection, this.pointer, this.cursor];
  }

  /** Places in pixels from the left; null for what is not in view. `selected` is [from, to] or null. */
  place({ cursor, pointer, selected }) {
    for (const [element, x] of [[this.cursor, cursor], [this.pointer, pointer]]) shift(element, x);
    shift(this.selection, selected ? selected[0] : null);
    if (selected) this.selection.style.width = `${Math.max(1, selected[1] - selected[0])}px`;
  }
}

/** The card at the pointer: a time, and for each row its lines, each `[colour or null, text]`. */
export class Card {
  constructor() {
    this.element = h("div", { class: "card", "aria-hidden": "true", hidden: true });
    this.shape = null;
  }

  hide() {
    this.element.hidden = true;
  }

  /** Shows `[name or null, lines]` for each row near a place; only other texts are changed while the shape stays. */
  show(title, rows, { x, y, width, height }) {
    const texts = [title, ...rows.flatMap(([, lines]) => lines.map(([, text]) => text))];
    const shape = JSON.stringify([title.length, rows.map(([name, lines]) => [name, lines.map(([colour, text]) => [colour, text.length])])]);
    if (shape === this.shape) this.nodes.forEach((node, i) => node.data !== texts[i] && (node.data = texts[i]));
    else this._build(rows, texts);
    this.element.hidden = false;
    if (shape !== this.shape) [this.shape, this.wide, this.tall] = [shape, this.element.offsetWidth, this.element.offsetHeight];
    const right = x + CARD_GAP_PX;
    const left = right + this.wide < width ? right : Math.max(0, x - CARD_GAP_PX - this.wide);
    this.element.style.transform = `translate(${left}px, ${clamp(y + 14, 0, Math.max(0, height - this.tall))}px)`;
  }

  _build(rows, texts) {
    this.nodes = texts.map((text) => document.createTextNode(text));
    let next = 1;
    const line = ([colour]) => {
      const dot = colour ? h("span", { class: "dot" }) : null;
      if (dot) dot.style.background = colour;
      return h("span", { class: "line" }, dot, this.nodes[next++]);
    };
    fill(this.element, h("b", {}, this.nodes[0]), rows.map(([name, lines]) => h("div", {}, name ? h("small", {}, name) : null, lines.map(line))));
  }
}

function shift(element, x) {
  element.hidden = x === null;
  if (x !== null) element.style.transform = `translateX(${x}px)`;
}
