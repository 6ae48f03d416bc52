"""Views to learn from: pictures at random scales, over and beside each other, degraded. Knows no network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.finder_network import STRIDE_PX
from fervid.train.finder.network import HEAT, NEAR, VALUES, WEIGHT
from fervid.train.finder.targets import SURE_SCORE, TaughtPictures

PATCH_PX = 64
"""Smaller pictures show nothing but a face, and are pasted with a soft border."""
LEAST_FACE_PX = 10
N_VALUES = 14


@dataclass(slots=True)
class _Canvas:
    """A view in the making: gray (side, side), and faces float32 (n, 15) in its pixels."""

    gray: np.ndarray
    faces: np.ndarray


class ViewMaker:
    """Draws batches of views, each the same for the same seed."""

    def __init__(self, taught: TaughtPictures) -> None:
        self._pictures, self._faces = taught.pictures, taught.faces
        side = np.array([max(picture.shape) for picture in taught.pictures])
        n_sure = np.array([(faces[:, 4] >= SURE_SCORE).sum() for faces in taught.faces])
        whole = side >= PATCH_PX
        self._patches = np.nonzero(~whole)[0]
        self._whole = np.nonzero(whole)[0]
        self._with_face = np.nonzero(whole & (n_sure > 0))[0]

    def batch(self, n: int, side: int, seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Views float32 (n, side, side, 1) of levels 0 to 255 and their targets (n, side / 8, side / 8, 17)."""
        rng = np.random.default_rng(seed)
        canvases = [self._view(side, rng) for _ in range(n)]
        grays = np.stack([canvas.gray for canvas in canvases])[..., None].astype(np.float32)
        return grays, np.stack([targets_of(canvas.faces, side, side) for canvas in canvases])

    def _view(self, side: int, rng: np.random.Generator) -> _Canvas:
        canvas = _Canvas(np.full((side, side), rng.integers(256), np.uint8), np.zeros((0, 15), np.float32))
        self._paste(canvas, self._draw(self._whole, rng), rng, covers=True)
        kind = rng.random()
        if kind < 0.75 and len(self._with_face):
            self._paste(canvas, self._draw(self._with_face, rng), rng, covers=bool(rng.random() < 0.6))
        if kind < 0.3 and len(self._with_face):
            self._paste(canvas, self._draw(self._with_face, rng), rng)
        if len(self._patches) and rng.random() < 0.35:
            for _ in range(rng.integers(1, 4)):
                self._paste(canvas, self._draw(self._patches, rng), rng, is_patch=True)
        canvas.gray = degraded(canvas.gray, rng)
        if rng.random() < 0.5:
            canvas.gray = np.ascontiguousarray(canvas.gray[:, ::-1])
            canvas.faces = mirrored(canvas.faces, side)
        return canvas

    @staticmethod
    def _draw(among: np.ndarray, rng: np.random.Generator) -> int:
        return int(among[rng.integers(len(among))])

    def _paste(
        self, canvas: _Canvas, i: int, rng: np.random.Generator, *, covers: bool = False, is_patch: bool = False
    ) -> None:
        """Lay a picture over the canvas, scaled so that one of its faces has a random height."""
        picture, faces, side = self._pictures[i], self._faces[i], canvas.gray.shape[0]
        height, width = picture.shape
        sure = faces[faces[:, 4] >= SURE_SCORE]
        least = side / min(height, width)  # what covers the canvas
        if len(sure):
            face = sure[rng.integers(len(sure))]
            px = np.exp(rng.uniform(np.log(13), np.log(side * (0.5 if is_patch else 1.1))))
            scale, centre = px / max(4.0, face[3] - face[1]), (face[:2] + face[2:4]) / 2
        else:
            scale, centre = least * np.exp(rng.uniform(-0.3, 0.7)), np.array([width, height]) * rng.random(2)
        scale = min(scale, 4.0)
        at = side * rng.random(2)
        if covers and scale < least:
            scale = max(scale, least * 0.6)
        if covers and scale >= least:  # no border in sight
            high = np.minimum(centre * scale, at)
            at = np.maximum(high, side - (np.array([width, height]) - centre) * scale)
        angle = np.deg2rad(rng.normal(0, 8))
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        _lay(canvas, picture, np.column_stack([turn, at - turn @ centre]), faces, scale, soft=is_patch)


def _lay(
    canvas: _Canvas, picture: np.ndarray, move: np.ndarray, faces: np.ndarray, scale: float, *, soft: bool
) -> None:
    """Draw a picture where the matrix `move` (2, 3) takes it; faces underneath are gone."""
    own = move.copy()
    while scale < 0.5 and min(picture.shape) > 8:  # or every second pixel would be passed over
        picture, scale = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), scale * 2
        own[:, :2] *= 2
    size = canvas.gray.shape[::-1]
    drawn = cv2.warpAffine(picture, own, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mask: np.ndarray = np.full(picture.shape, 255, np.uint8)
    if soft:
        h, w = picture.shape
        mask = np.zeros_like(mask)
        cv2.ellipse(mask, (w // 2, h // 2), (int(w * 0.44), int(h * 0.46)), 0, 0, 360, 255, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), max(1.0, w / 16))
    mask = cv2.warpAffine(mask, own, size, flags=cv2.INTER_LINEAR)
    share = mask.astype(np.float32) / 255
    canvas.gray = np.rint(drawn * share + canvas.gray * (1 - share)).astype(np.uint8)
    canvas.faces = np.concatenate([_uncovered(canvas.faces, mask), moved(faces, move)])


def _uncovered(faces: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Faces of which nothing is covered; those half covered stay without being asked for, those more so go."""
    if not len(faces):
        return faces
    summed = cv2.integral(mask)
    x0, y0, x1, y1 = np.clip(faces[:, :4], 0, np.array(mask.shape[::-1] * 2)).astype(int).T
    area = np.maximum((x1 - x0) * (y1 - y0), 1) * 255.0
    covered = (summed[y1, x1] - summed[y0, x1] - summed[y1, x0] + summed[y0, x0]) / area
    faces = faces.copy()
    faces[covered > 0.1, 4] = np.minimum(faces[covered > 0.1, 4], SURE_SCORE - 0.01)
    return np.asarray(faces[covered < 0.7])


def moved(faces: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Faces (n, 15) after the similarity `move` (2, 3); boxes stay upright."""
    turn, shift = move[:, :2], move[:, 2]
    scale = np.sqrt(abs(np.linalg.det(turn)))
    sides = (faces[:, 2:4] - faces[:, :2]) * scale
    centre = (faces[:, :2] + faces[:, 2:4]) / 2 @ turn.T + shift
    points = (faces[:, 5:].reshape(-1, 5, 2) @ turn.T + shift).reshape(-1, 10)
    return np.concatenate([centre - sides / 2, centre + sides / 2, faces[:, 4:5], points], axis=1).astype(np.float32)


def mirrored(faces: np.ndarray, side: int) -> np.ndarray:
    """Faces (n, 15) of the mirror image: what was the left eye is the right one."""
    points = faces[:, 5:].reshape(-1, 5, 2)[:, [1, 0, 2, 4, 3]] * (-1, 1) + (side, 0)
    boxes = faces[:, [2, 1, 0, 3]] * (-1, 1, -1, 1) + (side, 0, side, 0)
    return np.concatenate([boxes, faces[:, 4:5], points.reshape(-1, 10)], axis=1).astype(np.float32)


def degraded(gray: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As cameras and encoders do it: dark or pale, of limited range, blurred, noisy, coarsely coded."""
    light: np.ndarray = gray.astype(np.float32)
    if rng.random() < 0.7:
        contrast = np.exp(rng.normal(0, 0.3))
        light = (light - 128) * contrast + 128 + rng.normal(0, 20)
    if rng.random() < 0.2:
        light = np.clip(light, 0, 255) * rng.uniform(0.12, 0.6)  # in the dark
    if rng.random() < 0.3:
        light = np.clip(light, 0, 255) * (219 / 255) + 16
    if rng.random() < 0.25:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 1.6))
    if rng.random() < 0.3:
        light = light + rng.normal(0, rng.uniform(1, 9), light.shape)
    gray = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        coded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))])[1]
        gray = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    return gray


def targets_of(faces: np.ndarray, height: int, width: int) -> np.ndarray:
    """What the network should answer: float32 (height / 8, width / 8, 17), see `network`.

    Faces the teacher is unsure of, and those too small, ask for nothing where they are.
    """
    rows, columns = height // STRIDE_PX, width // STRIDE_PX
    targets = np.zeros((rows, columns, VALUES + N_VALUES), np.float32)
    targets[..., WEIGHT] = 1
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    sides = faces[:, 2:4] - faces[:, :2]
    for face, (w, h) in sorted(zip(faces, sides, strict=True), key=lambda each: -each[1][1]):
        cx, cy = (face[:2] + face[2:4]) / 2
        column, row = int(cx // STRIDE_PX), int(cy // STRIDE_PX)
        if not (0 <= row < rows and 0 <= column < columns):
            continue
        sigma = np.maximum(np.array([w, h]) / STRIDE_PX * 0.12, 0.35)
        heat = np.exp(-(((x - column) / sigma[0]) ** 2 + ((y - row) / sigma[1]) ** 2) / 2)
        if face[4] < SURE_SCORE or h < LEAST_FACE_PX:
            targets[..., WEIGHT][heat > 0.1] = 0
            continue
        targets[..., HEAT] = np.maximum(targets[..., HEAT], heat)
        targets[row, column, WEIGHT] = 1
        near = (heat > 0.35) & (heat >= targets[..., NEAR])
        targets[near, NEAR] = heat[near]
        offset = np.stack([cy / STRIDE_PX - 0.5 - y[near], cx / STRIDE_PX - 0.5 - x[near]], axis=1)
        size = np.log(np.array([h, w]) / STRIDE_PX)
        points = ((face[5:].reshape(5, 2) - face[:2]) / (w, h))[:, ::-1].reshape(-1)
        values = np.concatenate([np.tile(size, (len(offset), 1)), offset, np.tile(points, (len(offset), 1))], axis=1)
        targets[near, VALUES:] = values
    return targets
