// Filters of the list beyond its buttons: expression for some time, faces, camera, recording date, usable time.

import { fill, h } from "./dom.js";

const NAMES = ["look", "score", "lasts", "faces", "camera", "from", "to", "usable"];
const USUAL_SCORE = "0.5";
const USUAL_SECONDS = "1";
const WAIT_MS = 250;

export class ListFilters {
  /** `carrier` answers what needs the scores; `onChange()` is called when the list has to be drawn anew. */
  constructor(list, carrier, options, onChange) {
    Object.assign(this, { carrier, onChange });
    this.values = Object.fromEntries(NAMES.map((name) => [name, options.get(name) ?? ""]));
    this.found = null;
    this.fields = new Map();
    const labels = [...new Set(list.runs.flatMap((card) => card.labels))];
    const cameras = [...new Set(list.runs.map((card) => card.camera).filter(Boolean))].sort();
    const parts = [
      carrier.isServed ? this._select("look", "Somebody looks", [["", "any way"], ...labels.map((label) => [label, label])]) : null,
      carrier.isServed ? this._input("score", "at least", { type: "number", min: 0, max: 1, step: 0.05, placeholder: USUAL_SCORE }) : null,
      carrier.isServed ? this._input("lasts", "for seconds", { type: "number", min: 0, step: 0.5, placeholder: USUAL_SECONDS }) : null,
      carrier.isServed ? this._input("faces", "Faces at once, at least", { type: "number", min: 0, step: 1 }) : null,
      this._select("camera", "Camera", [["", "any"], ...cameras.map((name) => [name, name])]),
      this._input("from", "Recorded from", { type: "date" }),
      this._input("to", "Recorded to", { type: "date" }),
      this._input("usable", "Face usable, % at least", { type: "number", min: 0, max: 100, step: 5 }),
    ];
    this.status = h("p", { class: "quiet", role: "status" });
    this.element = h("details", { class: "more-filters", open: this.isOn },
      h("summary", {}, "More filters"), h("div", { class: "fields" }, parts, h("button", { type: "button", onclick: () => this.clear() }, "Clear filters"), this.status));
    if (this._asks) this._ask();
  }

  get isOn() {
    return NAMES.some((name) => this.values[name]);
  }

  /** What belongs into the address. */
  get options() {
    return this.values;
  }

  /** Whether a video passes; while the server looks at the scores none that needs them does. */
  keeps(card) {
    const { camera, from, to, usable } = this.values;
    const day = (card.recorded ?? "").slice(0, 10);
    if (camera && card.camera !== camera) return false;
    if (from && !(day && day >= from)) return false;
    if (to && !(day && day <= to)) return false;
    if (usable && !((card.coverage ?? 0) * 100 >= Number(usable))) return false;
    if (!this._asks) return true;
    const hit = this.found?.[card.id];
    return Boolean(hit) && (!this.values.faces || hit.faces >= Number(this.values.faces));
  }

  /** Where a video shows what was asked for; null without such a question. */
  hit(card) {
    const hit = this.values.look ? this.found?.[card.id] : null;
    return hit ? { ...hit, words: `${this.values.look} ≥ ${this._score} for ${hit.seconds.toFixed(1)} s` } : null;
  }

  clear() {
    for (const [name, field] of this.fields) {
      this.values[name] = "";
      field.value = "";
    }
    this._changed();
  }

  get _asks() {
    return this.carrier.isServed && Boolean(this.values.look || this.values.faces);
  }

  get _score() {
    return this.values.score || USUAL_SCORE;
  }

  _changed() {
    clearTimeout(this.timer);
    if (this._asks) this.timer = setTimeout(() => this._ask(), WAIT_MS);
    else {
      this.found = null;
      fill(this.status);
    }
    this.onChange();
  }

  async _ask() {
    this.request?.abort();
    const request = (this.request = new AbortController());
    fill(this.status, "Looking at the scores …");
    try {
      const { look } = this.values;
      this.found = await this.carrier.find({ label: look, score: this._score, seconds: this.values.lasts || USUAL_SECONDS }, { signal: request.signal });
      fill(this.status);
    } catch (problem) {
      if (request.signal.aborted) return;
      this.found = {};
      fill(this.status, `The scores cannot be searched: ${problem.message ?? problem}`);
    }
    this.onChange();
  }

  _select(name, label, choices) {
    const field = h("select", { "aria-label": label, onchange: () => this._take(name) }, choices.map(([value, words]) => h("option", { value, selected: value === this.values[name] }, words)));
    return this._field(name, label, field);
  }

  _input(name, label, attributes) {
    return this._field(name, label, h("input", { "aria-label": label, value: this.values[name], oninput: () => this._take(name), ...attributes }));
  }

  _field(name, label, field) {
    this.fields.set(name, field);
    return h("label", { class: "field" }, h("span", {}, label), field);
  }

  _take(name) {
    this.values[name] = this.fields.get(name).value;
    this._changed();
  }
}
