// The page of a live view: numbers of the newest frame, alerts as they are raised, what is shown, three keys.

import { Curves, answerOf } from "./curves.js";

const LOOKS = { disgust: "disgusted", fear: "afraid", surprise: "surprised" };
const MOST_ALERTS = 50;
const ENDINGS = {
  ended: "The file has ended. This is its last frame.",
  quit: "The view was quit. This is its last frame.",
  time: "The chosen time is over. This is the last frame.",
};
const at = (id) => document.getElementById(id);

const about = await (await fetch("/about")).json();
const labels = Object.keys(about.colours);
document.title = `${about.title} - fervid live`;
at("title").textContent = about.title;
at("still").hidden = !about.may_save;
const curves = new Curves(at("curves"), at("legend"), at("whose"), about.colours);

function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function wordsOf(face) {
  if (face.abstain) return `#${face.track_id}  cannot be told: ${face.abstain.replaceAll("_", " ")}`;
  return `#${face.track_id}  looks ${LOOKS[face.label] ?? face.label}  ${face.confidence.toFixed(2)}`;
}

// Elements are kept from frame to frame: a list that is built anew each time cannot be read aloud or selected.
const panels = new Map();

function panelOf(id) {
  if (panels.has(id)) return panels.get(id);
  const box = make("div", "face");
  const title = box.appendChild(make("h3"));
  const bars = box.appendChild(make("div", "bars"));
  const rows = labels.map((label) => {
    bars.appendChild(make("span", "", label));
    const fill = bars.appendChild(make("div", "bar")).appendChild(make("div"));
    fill.style.background = about.colours[label];
    return { fill, value: bars.appendChild(make("span", "value")) };
  });
  panels.set(id, { box, title, rows });
  at("faces").appendChild(box);
  return panels.get(id);
}

function showFaces(faces) {
  const seen = new Set();
  for (const face of faces) {
    seen.add(face.track_id);
    const { title, rows } = panelOf(face.track_id);
    title.textContent = wordsOf(face);
    labels.forEach((label, i) => {
      const share = answerOf(face, label);
      rows[i].fill.style.width = `${(share * 100).toFixed(1)}%`;
      rows[i].value.textContent = share.toFixed(2);
    });
  }
  for (const [id, panel] of panels) {
    if (!seen.has(id)) {
      panel.box.remove();
      panels.delete(id);
    }
  }
}

function stillOf(alert) {
  const image = make("img");
  image.src = `/stills/${alert.still}`;
  image.alt = `Still: ${alert.text}`;
  const button = make("button");
  button.type = "button";
  button.append(image);
  button.addEventListener("click", () => {
    at("large").querySelector("img")?.remove();
    at("large").append(image.cloneNode());
    at("large").showModal();
  });
  return button;
}

function showBanner(text) {
  at("banner").textContent = text;
  at("banner").hidden = !text;
}

// The picture is held in this page alone: the analysis continues, and alerts are still listed.
function pause(isPaused) {
  if (hasEnded || isPaused === paused) return;
  paused = isPaused;
  const [picture, frozen] = [at("picture"), at("frozen")];
  if (paused && picture.naturalWidth) {
    [frozen.width, frozen.height] = [picture.naturalWidth, picture.naturalHeight];
    frozen.getContext("2d").drawImage(picture, 0, 0);
  }
  frozen.hidden = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  at("pause").firstChild.textContent = paused ? "Continue " : "Pause ";
  showBanner(paused ? `Paused at ${new Date().toLocaleTimeString()}. The analysis continues.` : "");
  curves.pause(paused);
  if (!paused && last.faces) showFaces(last.faces);
}

function showStatus(text, isLost) {
  at("status").textContent = text;
  at("status").classList.toggle("lost", isLost);
}

let last = { status: "connecting" };
let paused = false;
let hasEnded = false;
const events = new EventSource("/events");
events.addEventListener("frame", (event) => {
  last = JSON.parse(event.data);
  curves.add(last);
  if (!paused) showFaces(last.faces);
});
events.addEventListener("status", (event) => {
  last = { ...last, ...JSON.parse(event.data) };
});
events.addEventListener("alert", (event) => {
  const alert = JSON.parse(event.data);
  const item = make("li");
  item.appendChild(make("time", "", new Date(alert.utc).toLocaleTimeString()));
  item.appendChild(make("span", "", alert.text));
  if (alert.still !== null) item.appendChild(stillOf(alert));
  curves.mark(alert.raised_s);
  at("alerts").prepend(item);
  at("no-alerts").hidden = true;
  while (at("alerts").children.length > MOST_ALERTS) at("alerts").lastChild.remove();
});
events.addEventListener("end", (event) => {
  pause(false);
  hasEnded = true;
  document.querySelector(".picture").classList.add("ended");
  showBanner(ENDINGS[JSON.parse(event.data).reason] ?? "The view has ended. This is its last frame.");
  at("faces-title").textContent = "Faces in the last frame";
  curves.draw();
  for (const control of document.querySelectorAll("nav button, .choices input")) control.disabled = true;
  events.close();
  clearInterval(ticking);
  showStatus("The view has ended.", true);
});
events.addEventListener("error", () => {
  last = { ...last, status: "the connection to fervid is lost" };
});

// Once a second is enough to read, and does not make a screen reader talk all the time.
const ticking = setInterval(() => {
  const isFine = last.status === "live" || last.status === "playing";
  const numbers = last.fps === undefined ? "" : `${last.fps.toFixed(1)} fps, ${last.latency_ms.toFixed(0)} ms, ${last.dropped} of ${last.frame + 1} frames dropped`;
  showStatus(isFine ? numbers : last.status, !isFine);
}, 1000);

async function wish(name) {
  const answer = await fetch(`/wishes/${name}`, { method: "POST" });
  if (!answer.ok) showStatus((await answer.json()).error, true);
}

for (const [name, isOn] of Object.entries(about.shown)) {
  at(name).checked = isOn;
  at(name).addEventListener("change", (event) => wish(`${name}-${event.target.checked ? "on" : "off"}`));
}
at("covers").disabled = !about.may_uncover;
at("pause").addEventListener("click", () => pause(!paused));
at("still").addEventListener("click", () => wish("still"));
at("quit").addEventListener("click", () => wish("quit"));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("select, dialog *")) return;
  if (event.key === "p") pause(!paused);
  if (event.key === "q") wish("quit");
  if (event.key === "s" && about.may_save) wish("still");
});
