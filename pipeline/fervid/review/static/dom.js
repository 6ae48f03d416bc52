// Elements, times and small words. Text goes in as text: nothing in this page ever becomes markup.

/** An element with attributes, properties that start with "on" as listeners, and children (elements or text). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** Seconds as 1:02:03.4, or 02:03.4 below an hour. */
export function clock(seconds, digits = 1) {
  const unit = 10 ** digits;
  const whole = Math.max(0, Math.round(seconds * unit));
  const parts = [Math.floor(whole / (60 * unit)) % 60, Math.floor(whole / unit) % 60];
  const hours = Math.floor(whole / (3600 * unit));
  const text = parts.map((part) => String(part).padStart(2, "0")).join(":");
  return (hours ? `${hours}:` : "") + text + (digits ? `.${String(whole % unit).padStart(digits, "0")}` : "");
}

/** Seconds as a length: 4.2 s, 3 min 05 s, 2 h 10 min. */
export function span(seconds) {
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor(whole / 60) % 60).padStart(2, "0")} min`;
}

export function percent(share) {
  return share === null || share === undefined || Number.isNaN(share) ? "–" : `${Math.round(share * 100)} %`;
}

export function count(n, what) {
  return `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** Index of the last value that is not above `wanted`, -1 when all are. */
export function lastNotAbove(values, wanted, from = 0, to = values.length) {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1 >= from ? low - 1 : -1;
}

const themeColours = new Map(); // asking the style sheet makes the browser lay out what changed: too slow for every stroke

/** A colour of the style sheet, as it is in the theme of now. */
export function themeColour(name) {
  if (!themeColours.has(name)) themeColours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
  return themeColours.get(name);
}

/** After another theme was chosen: its colours are looked up anew. */
export function forgetColours() {
  themeColours.clear();
}

/** Says something to those who listen rather than look. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** Whether a key belongs to what has the focus: text that is typed, a list that is opened. */
export function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}
