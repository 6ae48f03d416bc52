// One line of the queue of alerts: picture, words, score, what was said about it.

import { clock, h } from "./dom.js";
import { verdictWords } from "./people.js";

/** The elements of a row: `{element, button, shot}`. A click selects; with shift it selects all up to there. */
export function itemOf(row, { shot, isCurrent, isPicked, select, toggle }) {
  const { lead, alerts } = row;
  const when = `${clock(lead.start_s)} – ${clock(lead.end_s)}`;
  const button = h("button", {
    type: "button", class: "queue-item", "data-what": "item", "aria-current": isCurrent ? "true" : null,
    onclick: (event) => {
      if (isCurrent && event.detail === 0) location.hash = `#/run/${lead.run}@${lead.start_s.toFixed(2)}`;
      else if (event.shiftKey) toggle(true);
      else select();
    },
  },
    shot,
    h("span", { class: "what" }, h("span", { class: `tier ${lead.tier}` }, lead.tier), lead.wording, alerts.length > 1 ? h("b", { class: "times" }, ` ×${alerts.length}`) : null),
    h("span", { class: "score figure", title: `rule ${lead.rule}: from ${lead.enter.toFixed(2)}` }, lead.peak_score.toFixed(2)),
    h("span", { class: "where" }, `${lead.video}${lead.camera && lead.camera !== "." ? ` · ${lead.camera}` : ""}`),
    h("span", { class: "when" }, lead.start_clock ? `${lead.start_clock.replace("T", " ")} · ${when}` : when),
    h("span", { class: `said ${lead.review?.verdict ?? "open"}` }, opinionsOf(row)));
  const box = h("input", {
    type: "checkbox", "data-what": "pick", checked: isPicked, "aria-label": `Select ${lead.video} at ${clock(lead.start_s)}`,
    onclick: (event) => toggle(event.shiftKey),
  });
  return { element: h("li", { class: `${isCurrent ? "current" : ""}${lead.review ? " judged" : ""}` }, box, button), button, shot };
}

/** The picture at the peak of an alert, faces covered, with a mark where the face is; empty without a server or a video. */
export function shotOf(lead, shelf, isServed) {
  const shot = h("span", { class: "shot", "aria-hidden": "true" });
  if (!isServed || !lead.has_video) return shot;
  const image = shelf.hang(h("img", { alt: "" }), `${lead.run}@${Math.round(lead.peak_s * 1000)}`);
  const mark = lead.box ? h("i", { class: "mark" }) : null;
  if (mark) ["left", "top", "width", "height"].forEach((side, i) => { mark.style[side] = `${100 * lead.box[i]}%`; });
  shot.append(h("span", { class: "frame" }, image, mark));
  return shot;
}

/** What was said about a row of alerts, by everybody. */
function opinionsOf({ alerts }) {
  const open = alerts.filter((alert) => !alert.review).length;
  if (open === alerts.length) return "needs review";
  if (open) return `${open} need review`;
  const words = new Set(alerts.flatMap((alert) => (alert.reviews?.length ? alert.reviews : [alert.review]).map(verdictWords)));
  return [...words].join(" · ");
}
