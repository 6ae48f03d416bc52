// The buttons below the picture of a player.

import { clock, h } from "./dom.js";

const RATES = [0.25, 0.5, 1, 1.5, 2, 4];

/** Elements of a player by their names: `controls` holds all, the others change as it plays. */
export function controlsOf(player) {
  const readout = h("span", { class: "time", role: "timer", "aria-label": "Time" }, `00:00.0 / ${clock(player.recording.duration)}`);
  const button = h("button", { type: "button", class: "primary", onclick: () => player.toggle() }, "▶ Play");
  const boxesButton = h("button", { type: "button", "aria-pressed": "true", onclick: () => player.toggleBoxes() }, "Boxes");
  const heat = player.recording.motion ? h("button", { type: "button", "aria-pressed": "false", onclick: (event) => player.toggleHeat(event.currentTarget) }, "Motion") : null;
  const rate = h("select", { "aria-label": "Speed", onchange: (event) => player.setRate(Number(event.target.value)) },
    RATES.map((value) => h("option", { value, selected: value === 1 }, `${value}×`)));
  const sound = h("button", { type: "button", "aria-pressed": "true", onclick: (event) => {
    player.video.muted = !player.video.muted;
    event.currentTarget.setAttribute("aria-pressed", String(!player.video.muted));
  } }, "Sound");
  const full = h("button", { type: "button", onclick: () => player.fullScreen() }, "Full screen");
  const controls = h("div", { class: "controls", role: "group", "aria-label": "Player" }, button, readout, h("span", { class: "gap" }), rate, sound, boxesButton, heat, full);
  return { controls, readout, button, boxesButton };
}
