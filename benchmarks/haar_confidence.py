"""Fit the map from a Haar cascade's level weight to a confidence, on real footage.

    python benchmarks/haar_confidence.py FOLDER_WITH_ONE_FACE... --empty FOLDER_OR_FILE_WITHOUT_FACES...

Faces are the boxes that agree with the steady face of clips which show one person close up; false boxes are those found
away from it, and all boxes in footage without faces. Both are searched with 1 neighbour, so that there are false boxes
to learn from. Prints the midpoint and scale of the logistic map for each cascade, and how well the weight separates.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fervid.config import load_settings
from fervid.detect.haar import CASCADES, HaarDetector
from fervid.geometry import iou_matrix
from fervid.inputs import find_videos
from fervid.opencv import cv2
from fervid.video.probe import probe
from fervid.video.reader import Ledger, read_frames
from fervid.video.segments import plan_segments

SAME_FACE_IOU, OTHER_PLACE_IOU = 0.5, 0.1
MIN_FACE_SHARE = 0.08


def boxes_and_weights(path: Path, cascade: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per analysed frame: boxes float32 (n, 4) in the shrunk picture, level weights float64 (n,)."""
    detector = HaarDetector(cascade=cascade, min_neighbours=1)
    _, side, _, _ = CASCADES[cascade]
    video = load_settings().video
    info, plan = probe(path, max_pixels=video.max_pixels)
    found = []
    for segment in plan_segments("", info, plan, segment_seconds=video.segment_seconds, fps=video.fps):
        frames = read_frames(
            path,
            info,
            plan,
            segment,
            Ledger(),
            fps=video.fps,
            start_seconds=0.0,
            end_seconds=None,
            decoder_threads=video.decoder_threads,
            max_pixels=video.max_pixels,
        )
        for frame in frames:
            shrink = min(1.0, side / (MIN_FACE_SHARE * frame.gray.shape[0]))
            small = cv2.resize(frame.gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            found.append(detector.detect_with_weights(small))
    return found


def split_by_steady_face(found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[float], list[float]]:
    """Weights of boxes on the clip's steady face, and of boxes elsewhere. The steady face is the median of the best."""
    best = [boxes[weights.argmax()] for boxes, weights in found if len(boxes)]
    if not best:
        return [], []
    steady = np.median(np.stack(best), axis=0)[None].astype(np.float32)
    on, off = [], []
    for boxes, weights in found:
        overlap = iou_matrix(boxes, steady)[:, 0] if len(boxes) else np.zeros(0)
        on += weights[overlap >= SAME_FACE_IOU].tolist()
        off += weights[overlap < OTHER_PLACE_IOU].tolist()
    return on, off


def fit_logistic(positive: np.ndarray, negative: np.ndarray) -> tuple[float, float]:
    """Midpoint and scale of P(face | weight), both kinds weighing the same in all; Newton's method."""
    x = np.concatenate([positive, negative])
    y = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    importance = np.where(y == 1, 0.5 / len(positive), 0.5 / len(negative))
    features = np.stack([x - x.mean(), np.ones(len(x))], axis=1)
    w = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-features @ w))
        gradient = features.T @ (importance * (p - y))
        hessian = (features * (importance * p * (1 - p))[:, None]).T @ features + 1e-9 * np.eye(2)
        w -= np.linalg.solve(hessian, gradient)
    return float(x.mean() - w[1] / w[0]), float(1 / w[0])


def area_under_roc(positive: np.ndarray, negative: np.ndarray) -> float:
    """The chance that a face's weight lies above a false box's."""
    ranks = np.searchsorted(np.sort(negative), positive, side="left") + np.searchsorted(
        np.sort(negative), positive, side="right"
    )
    return float(ranks.mean() / (2 * len(negative)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faces", nargs="+")
    parser.add_argument("--empty", nargs="+", required=True)
    arguments = parser.parse_args()
    for cascade in CASCADES:
        on: list[float] = []
        off: list[float] = []
        for path in find_videos(arguments.faces).videos:
            face, other = split_by_steady_face(boxes_and_weights(path, cascade))
            on, off = on + face, off + other
        for path in find_videos(arguments.empty).videos:
            off += [float(w) for _, weights in boxes_and_weights(path, cascade) for w in weights]
        positive, negative = np.array(on), np.array(off)
        midpoint, scale = fit_logistic(positive, negative)
        print(
            f"{cascade}: midpoint {midpoint:.2f}, scale {scale:.2f}; AUC {area_under_roc(positive, negative):.3f} "
            f"of {len(on)} faces against {len(off)} false boxes"
        )


if __name__ == "__main__":
    main()
