// The controls above the queue: which alerts are shown, in which order. Keeps nothing itself.

import { fill, h } from "./dom.js";
import { DEFAULTS } from "./sieve.js";

const SAID = [["open", "To review"], ["true", "True"], ["false", "False"], ["unsure", "Unsure"], ["differ", "Differ"], ["all", "All"]];
const TIERS = [["alert", "alerts"], ["notice", "notices"], ["all", "alerts and notices"]];
const SORTS = [["time", "video and time"], ["score", "strongest first"], ["recent", "newest first"]];
const FITS = [["", "any"], ["fit", "fit"], ["limited", "in part"], ["not_fit", "not fit"]];
const TOPS = [["", "all of them"], ["10", "the 10 strongest"], ["25", "the 25 strongest"], ["100", "the 100 strongest"]];
const TYPING_MS = 200;

export class QueueFilters {
  /** `onChoose(changed)` gets what was chosen. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.said = h("div", { class: "filters", role: "group", "aria-label": "Verdict" });
    this.group = h("button", { type: "button", "aria-keyshortcuts": "g", onclick: () => onChoose({ group: this.group.getAttribute("aria-pressed") === "true" ? "" : "1" }) }, "Group repeats");
    this.searchField = this._typed("q", "Search", { type: "search", placeholder: "Video, camera, rule", "aria-keyshortcuts": "/" });
    this.selects = new Map();
    const pick = (name, label) => {
      const field = h("select", { "aria-label": label, onchange: (event) => onChoose({ [name]: event.target.value }) });
      this.selects.set(name, field);
      return h("label", { class: "field" }, h("span", {}, label), field);
    };
    this.fields = ["score", "from", "to"].map((name) => this._typed(name, { score: "Score at least", from: "Recorded from", to: "Recorded to" }[name],
      name === "score" ? { type: "number", min: 0, max: 1, step: 0.05 } : { type: "date" }));
    this.rest = h("details", { class: "more-filters" }, h("summary", {}, "More filters"),
      h("div", { class: "fields" }, pick("rule", "Rule"), pick("camera", "Camera"), pick("label", "Looks"), pick("fit", "Video fit for alerts"),
        this.fields.map((field) => h("label", { class: "field" }, h("span", {}, field.getAttribute("aria-label")), field)),
        h("label", { class: "field" }, h("span", {}, "Search"), this.searchField),
        h("button", { type: "button", onclick: () => onChoose({ ...DEFAULTS }) }, "Clear filters")));
    this.element = h("div", { class: "queue-tools" }, this.said, pick("tier", "Show"), pick("top", "Of these"), pick("sort", "Order"), this.group, this.rest);
  }

  search() {
    this.rest.open = true;
    this.searchField.focus();
  }

  /** Shows a choice; `counts` are numbers of alerts by verdict. */
  draw(choice, alerts, counts) {
    const hadFocus = this.said.contains(document.activeElement) ? document.activeElement.dataset.said : null;
    fill(this.said, SAID.filter(([name]) => name !== "differ" || counts.differ || choice.verdict === "differ").map(([name, text]) => h("button", {
      type: "button", "data-said": name, "aria-pressed": String(choice.verdict === name), onclick: () => this.onChoose({ verdict: name }),
    }, text, h("span", { class: "n" }, String(counts[name])))));
    if (hadFocus) this.said.querySelector(`[data-said="${hadFocus}"]`)?.focus();
    const own = (name) => [["", "any"], ...[...new Set(alerts.map((alert) => alert[name]).filter(Boolean))].sort().map((value) => [value, value])];
    const lists = { tier: TIERS, top: TOPS, sort: SORTS, fit: FITS, rule: own("rule"), camera: own("camera"), label: own("label") };
    for (const [name, field] of this.selects) options(field, lists[name], choice[name]);
    for (const field of [...this.fields, this.searchField]) if (field !== document.activeElement) field.value = choice[field.name];
    this.group.setAttribute("aria-pressed", String(Boolean(choice.group)));
    const n = ["rule", "camera", "label", "fit", "score", "from", "to", "q"].filter((name) => choice[name]).length;
    this.rest.firstChild.textContent = n ? `More filters (${n})` : "More filters";
    if (n && !this.wasOpened) this.rest.open = this.wasOpened = true;
  }

  _typed(name, label, attributes) {
    let timer = null;
    return h("input", {
      name, "aria-label": label, ...attributes,
      oninput: (event) => {
        clearTimeout(timer);
        timer = setTimeout(() => this.onChoose({ [name]: event.target.value }), TYPING_MS);
      },
    });
  }
}

function options(field, list, value) {
  const known = list.some(([name]) => name === value) ? list : [...list, [value, value]];
  const text = known.flat().join("\n");
  if (field.dataset.list !== text) {
    field.dataset.list = text;
    fill(field, known.map(([name, words]) => h("option", { value: name }, words)));
  }
  field.value = value;
}
