// The page: which view is shown, theme, keys, help.

import { openCarrier } from "./carrier.js";
import { announce, fill, h, isTyping } from "./dom.js";
import { ListView } from "./listview.js";
import { RunView } from "./runview.js";

const THEME = "fervid-theme";
const KEYS = [
  ["space", "play or pause"], ["j  k", "next, previous alert"], ["t  f  u", "verdict about the alert: true, false, unsure"],
  ["←  →", "1 s back, forward; with shift 10 s"], [",  .", "one analysed frame back, forward"], ["Home  End", "begin, end"],
  ["+  −", "zoom the timeline"], ["PgUp  PgDn", "move the timeline"], ["[  ]", "begin, end of the selection at the cursor"],
  ["l", "play the selection again and again"], ["Esc", "clear the selection"], ["p", "peaks per expression"], ["g", "go to a time"],
  ["b", "boxes on, off"], ["/", "search (list)"], ["?", "this help"],
];

class Page {
  constructor() {
    this.carrier = openCarrier();
    this.place = document.getElementById("view");
    this.view = null;
    this._hideToken();
    this._theme(stored(THEME));
    this._header();
    addEventListener("hashchange", () => this.show());
    addEventListener("keydown", (event) => this._onKey(event));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.view?.redraw());
  }

  async show() {
    const wanted = /^#\/run\/([0-9a-f]+)(?:@([\d.]+))?$/.exec(location.hash);
    try {
      const single = await this.carrier.onlyRun();
      const id = wanted?.[1] ?? single;
      if (id) await this._showRun(id, Number(wanted?.[2] ?? 0), single === null);
      else await this._showList();
    } catch (problem) {
      this._replace(null, h("section", { class: "panel" }, h("h1", { tabindex: "-1" }, "This cannot be shown"), h("p", {}, String(problem.message ?? problem))));
    }
    document.body.dataset.ready = "true";
  }

  async _showList() {
    const list = await this.carrier.list();
    document.title = `${list.title} – fervid`;
    const view = new ListView(list, this.carrier, list.colours);
    this._replace(view, view.element);
    view.focus();
  }

  async _showRun(id, begin, hasList) {
    const content = await this.carrier.run(id);
    if (!content) throw new Error("This run is not on the page.");
    document.title = `${content.name} – fervid`;
    const back = hasList ? h("a", { class: "back", href: "#/" }, "← all videos") : null;
    const view = await RunView.open(content, this.carrier, id, { begin, backLink: back });
    view.onVerdict = () => this._updateDownload();
    view.onMoment = (moment) => this.view === view && history.replaceState(history.state, "", moment);
    this._replace(view, view.element);
    view.redraw();
    view.focus();
  }

  _replace(view, element) {
    this.view?.destroy();
    this.view = view;
    fill(this.place, element);
    scrollTo(0, 0);
    this._updateDownload();
  }

  _onKey(event) {
    if (event.key === "?" && !isTyping(event.target)) this.help.showModal();
    else if (this.help.open || !this.view?.onKey(event)) return;
    event.preventDefault();
  }

  _header() {
    this.themeButton = h("button", { type: "button", onclick: () => this._nextTheme() });
    this.downloadButton = h("button", { type: "button", class: "primary", hidden: true, onclick: () => this.carrier.download() });
    this.help = h("dialog", { "aria-labelledby": "help-title" }, h("h2", { id: "help-title" }, "Keys"),
      h("dl", { class: "keys" }, KEYS.map(([keys, what]) => [h("dt", {}, keys.split("  ").map((key) => h("kbd", {}, key))), h("dd", {}, what)])),
      h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
    document.getElementById("tools").append(this.downloadButton, this.themeButton,
      h("button", { type: "button", onclick: () => this.help.showModal(), "aria-keyshortcuts": "?" }, "Keys"));
    document.body.append(this.help);
    this._nameTheme();
  }

  _updateDownload() {
    const { count = 0, isServed } = this.carrier;
    this.downloadButton.hidden = isServed || count === 0;
    this.downloadButton.textContent = `Download ${count} verdict${count === 1 ? "" : "s"}`;
  }

  _theme(name) {
    this.theme = ["light", "dark"].includes(name) ? name : "auto";
    if (this.theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.theme;
  }

  _nextTheme() {
    const order = ["auto", "light", "dark"];
    this._theme(order[(order.indexOf(this.theme) + 1) % order.length]);
    try {
      localStorage.setItem(THEME, this.theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    this._nameTheme();
    announce(`Theme: ${this.theme}`);
    this.view?.redraw();
  }

  _nameTheme() {
    this.themeButton.textContent = `Theme: ${this.theme}`;
  }

  /** The token has done its work once the cookie is set; it has no place in the history or on a screenshot. */
  _hideToken() {
    if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  }
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

new Page().show();
