// Who judges: a name for each browser, asked for once, and how the verdicts of several people are shown.

import { announce, fill, h } from "./dom.js";

const NAME_KEY = "fervid-name";
const LONGEST_NAME = 60;

/** The name that this browser gives its verdicts; null until one was chosen. */
export function ownName() {
  try {
    return localStorage.getItem(NAME_KEY);
  } catch {
    return null;
  }
}

/** The bar that asks once under which name verdicts are stored, and the button that changes it. */
export class NameKeeper {
  /** `account` is the name that the server uses without another. */
  constructor() {
    this.account = null;
    this.input = h("input", { type: "text", maxlength: LONGEST_NAME, "aria-label": "Your name for verdicts", autocomplete: "name" });
    this.form = h("form", { class: "name-bar", hidden: true, "aria-label": "Your name" },
      h("p", {}, "Your verdicts are stored under this name:"), this.input, h("button", { class: "primary" }, "Use this name"));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.choose(this.input.value);
    });
    this.button = h("button", { type: "button", hidden: true, onclick: () => this.open(true) });
  }

  get name() {
    return ownName() ?? this.account ?? "you";
  }

  /** The account of the server, once it is known. */
  know(account) {
    this.account = account ?? this.account;
    this._draw();
  }

  /** Called after a verdict: asks, if nobody was asked in this browser, without taking the focus. */
  askOnce() {
    if (ownName() === null && this.account !== null && !this.wasAsked) this.open(false);
    this.wasAsked = true;
  }

  open(takesFocus) {
    this.input.value = this.name;
    this.form.hidden = false;
    if (takesFocus) this.input.select();
    else announce(`Verdicts are stored under the name ${this.name}. It can be changed at the top of the page.`);
  }

  choose(text) {
    const name = text.trim().replace(/\s+/g, " ").slice(0, LONGEST_NAME);
    try {
      if (name) localStorage.setItem(NAME_KEY, name);
    } catch {
      // Without storage the account's name is used.
    }
    this.form.hidden = true;
    announce(`Verdicts are stored under the name ${this.name}`);
    this._draw();
    this.button.focus();
  }

  _draw() {
    this.button.hidden = this.account === null;
    fill(this.button, `Name: ${this.name}`);
  }
}

const SIGNS = { true: "✓ true", false: "✕ false", unsure: "? unsure" };

/** A verdict in a few words, with who gave it. */
export function verdictWords(review) {
  return `${SIGNS[review.verdict]}${review.by ? `, ${review.by}` : ""}`;
}

/** When a verdict was given: the hour today, else the day. */
export function givenAt(review, now = new Date()) {
  const when = new Date(review.at);
  if (Number.isNaN(when.getTime())) return "";
  const two = (n) => String(n).padStart(2, "0");
  const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
  const time = `${two(when.getHours())}:${two(when.getMinutes())}`;
  return when.toDateString() === now.toDateString() ? time : `${day} ${time}`;
}

/** What is in the way of a verdict that contradicts somebody else's. */
export function conflictWords(review) {
  return `${review.by} said ${review.verdict} at ${givenAt(review)}, after this page was opened. Yours is not stored yet: give it again to keep both.`;
}
