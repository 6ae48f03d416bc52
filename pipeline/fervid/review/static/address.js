// What the address says: the view, and what of it should survive Back, a reload and a copied link.

const WRITE_AFTER_MS = 150;
const VIEWS = ["alerts", "moments", "compare"];

/** `{view, id, at, options}` of a hash such as `#/run/ID@12.5`, `#/alerts?tier=notice` or `#/?q=door`. */
export function readAddress(hash = location.hash) {
  const [path, search = ""] = hash.replace(/^#\/?/, "").split("?");
  const run = /^run\/([0-9a-f]+)(?:@([\d.]+))?$/.exec(path);
  const view = run ? "run" : VIEWS.includes(path) ? path : "list";
  return { view, id: run?.[1] ?? null, at: Number(run?.[2] ?? 0), options: new URLSearchParams(search) };
}

/** The hash of a view with its options; empty ones are left out. */
export function hashOf(view, options = {}) {
  const filled = Object.entries(options).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  const search = new URLSearchParams(filled.map(([name, value]) => [name, value === true ? "1" : String(value)])).toString();
  return `#/${view === "list" ? "" : view}${search ? `?${search}` : ""}`;
}

/** Keeps the address of the history entry of now up to date, with the place on the page; browsers limit how often. */
export class AddressKeeper {
  constructor() {
    this.wanted = null;
    history.scrollRestoration = "manual";
    addEventListener("scroll", () => this.write(this.wanted ?? location.hash), { passive: true });
    for (const name of ["pointerdown", "click", "pagehide"]) addEventListener(name, () => this.flush(), { capture: true });
    addEventListener("keydown", (event) => event.key === "Enter" && this.flush(), { capture: true });
  }

  /** The place on the page when it was left. */
  get place() {
    return history.state?.y ?? 0;
  }

  write(hash) {
    this.wanted = hash;
    this.timer ??= setTimeout(() => this.flush(), WRITE_AFTER_MS);
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    if (this.wanted === null) return;
    const y = Math.round(scrollY);
    if (this.wanted !== (location.hash || "#/") || y !== this.place) history.replaceState({ y }, "", location.pathname + this.wanted);
    this.wanted = null;
  }

  /** Forgets what was not written: the address is another one now. */
  drop() {
    clearTimeout(this.timer);
    this.timer = null;
    this.wanted = null;
  }
}
