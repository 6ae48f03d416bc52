// Where the words about faces go in a picture: where no face and no other label is, with a line to the box. Draws nothing.

const GAP = 4;
const STEP_SHARE = 0.5;

/**
 * A place for each face's label, or null where there is none at all.
 *
 * `faces` are `{box: [x, y, w, h], sizes: [[width, height], ...]}` in pixels, the sizes of its words from the longest to
 * the shortest form. Gives `{x, y, form, isBeside}`: `form` is the index of the size that fitted, `isBeside` that it
 * touches its box, so that no line is needed.
 */
export function placeLabels(faces, { width, height }) {
  const boxes = faces.map(({ box: [x, y, w, h] }) => ({ x, y, w, h }));
  const taken = [];
  // The smallest face first: it has the fewest places beside it.
  const order = faces.map((_, i) => i).sort((a, b) => boxes[a].w * boxes[a].h - boxes[b].w * boxes[b].h);
  const places = new Array(faces.length).fill(null);
  for (const i of order) {
    for (let form = 0; form < faces[i].sizes.length && !places[i]; form++) {
      const place = findPlace(boxes[i], faces[i].sizes[form], [...boxes, ...taken], { width, height });
      if (!place) continue;
      const [w, h] = faces[i].sizes[form];
      taken.push({ x: place.x, y: place.y, w, h });
      places[i] = { ...place, form };
    }
  }
  return places;
}

function findPlace(box, [w, h], blocked, { width, height }) {
  const isFree = (x, y) => x >= 0 && y >= 0 && x + w <= width && y + h <= height && !blocked.some((other) => meets({ x, y, w, h }, other));
  const clampX = (x) => Math.min(Math.max(0, x), Math.max(0, width - w));
  const clampY = (y) => Math.min(Math.max(0, y), Math.max(0, height - h));
  const right = box.x + box.w + GAP;
  const left = box.x - w - GAP;
  const beside = [
    [clampX(box.x), box.y - h - GAP], [clampX(box.x), box.y + box.h + GAP], [clampX(box.x + box.w - w), box.y - h - GAP],
    [clampX(box.x + box.w - w), box.y + box.h + GAP], [right, clampY(box.y)], [left, clampY(box.y)],
    [right, clampY(box.y + box.h - h)], [left, clampY(box.y + box.h - h)],
  ];
  for (const [x, y] of beside) if (isFree(x, y)) return { x, y, isBeside: true };
  // Rings around the box, wider and wider, until the picture ends.
  const step = Math.max(6, h * STEP_SHARE);
  let best = null;
  for (let y = 0; y + h <= height; y += step) {
    for (let x = 0; x + w <= width; x += step) {
      const far = distance({ x, y, w, h }, box);
      if ((best === null || far < best.far) && isFree(x, y)) best = { x, y, far };
    }
  }
  return best ? { x: best.x, y: best.y, isBeside: best.far <= 2 * GAP } : null;
}

/** Whether two rectangles have a pixel in common. */
export function meets(a, b) {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

function distance(a, b) {
  const dx = Math.max(0, b.x - (a.x + a.w), a.x - (b.x + b.w));
  const dy = Math.max(0, b.y - (a.y + a.h), a.y - (b.y + b.h));
  return Math.hypot(dx, dy);
}

/** The ends of the line from a label to its box: between the points nearest to each other. */
export function leader(label, box) {
  const near = (low, high, other, otherEnd) => {
    if (high < other) return [high, other];
    if (otherEnd < low) return [low, otherEnd];
    const middle = (Math.max(low, other) + Math.min(high, otherEnd)) / 2;
    return [middle, middle];
  };
  const [x1, x2] = near(label.x, label.x + label.w, box.x, box.x + box.w);
  const [y1, y2] = near(label.y, label.y + label.h, box.y, box.y + box.h);
  return [x1, y1, x2, y2];
}
