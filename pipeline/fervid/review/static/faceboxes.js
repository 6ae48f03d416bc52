// Boxes over the picture, each with words beside it that cover no face.

import { leader, placeLabels } from "./labels.js";

/** Boxes in the colour of how faces look, dashed where the label should not be used; words beside them, never over a face. */
export function drawFaces(context, recording, faces, { scale: [sx, sy], width, height, unit, highlight }) {
  const size = 0.8125 * unit;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const shown = faces.map(({ track, face, box }) => {
    const reason = recording.reason(face);
    const isUsable = recording.isUsable(face);
    const label = recording.labels[recording.best[face]];
    const words = isUsable ? `looks ${label} ${recording.confidence(face).toFixed(2)}${reason ? ", unsure" : ""}` : `not used: ${reason.words}`;
    const texts = [`${words} · ${track.id}`, `${isUsable ? label : "not used"} · ${track.id}`, String(track.id)];
    return {
      box: [box[0] * sx, box[1] * sy, box[2] * sx, box[3] * sy], texts, reason, colour: isUsable ? recording.colours[label] : "#bbbbbb",
      isMarked: highlight !== null && highlight.includes(track.id),
      sizes: texts.map((text) => [context.measureText(text).width + size + 10, 1.6 * size]),
    };
  });
  for (const one of shown) drawBox(context, one);
  const places = placeLabels(shown, { width, height });
  shown.forEach((one, i) => places[i] && drawLabel(context, one, places[i], size));
}

function drawBox(context, { box: [x, y, w, tall], reason, colour, isMarked }) {
  context.lineJoin = "round";
  context.setLineDash(reason ? [6, 4] : []);
  for (const [line, stroke] of [[isMarked ? 7 : 5, "rgba(0, 0, 0, .65)"], [isMarked ? 4 : 2.5, colour]]) {
    context.lineWidth = line;
    context.strokeStyle = stroke;
    context.beginPath();
    context.roundRect(x, y, w, tall, 6);
    context.stroke();
  }
  context.setLineDash([]);
}

function drawLabel(context, { box: [x, y, w, tall], texts, sizes, colour }, place, size) {
  const [wide, high] = sizes[place.form];
  if (!place.isBeside) {
    const [x1, y1, x2, y2] = leader({ x: place.x, y: place.y, w: wide, h: high }, { x, y, w, h: tall });
    for (const [line, stroke] of [[3.5, "rgba(0, 0, 0, .65)"], [1.5, colour]]) {
      context.lineWidth = line;
      context.strokeStyle = stroke;
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    }
  }
  context.fillStyle = "rgba(12, 14, 18, .82)";
  context.beginPath();
  context.roundRect(place.x, place.y, wide, high, 4);
  context.fill();
  context.fillStyle = colour;
  context.fillRect(place.x + 5, place.y + 0.5 * size, 0.6 * size, 0.6 * size);
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(texts[place.form], place.x + size + 4, place.y + 0.83 * size);
}
