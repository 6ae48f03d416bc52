"""Fit the map from a Haar cascade's level weight to a confidence, on real footage.

    python benchmarks/haar_confidence.py CLIP_OR_FOLDER_WITH_ONE_FACE... --empty FOLDER_OR_FILE_WITHOUT_FACES...

Faces are the boxes of the track that is seen most in clips which show one person; false boxes are all others there, and
all boxes in footage without faces. They come from the search of the default preset, whose boxes a run holds: it
looks again around known faces, in finer steps and with fewer neighbours than a search of the whole picture, which gives
the same face a lower weight. Each clip counts alike, so that no person outweighs the others. Prints the midpoint and
scale of the logistic map for each cascade, and how well the weight separates.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.batch.inputs import find_videos
from fervid.config import load_settings
from fervid.detect import make_detector
from fervid.detect.haar import CASCADES
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.stage import detect_faces
from fervid.track import make_tracker
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes of a clip: `weights` float64 (n,), and of which track each is, int (n,)."""

    weights: np.ndarray
    track_ids: np.ndarray

    @property
    def is_main(self) -> np.ndarray:
        """Which boxes are of the track that is seen most: bool (n,)."""
        return np.asarray(self.track_ids == np.bincount(self.track_ids, minlength=1).argmax())


def search(path: Path, cascade: str) -> Found:
    """What the default search finds in a clip, tracked by overlap."""
    settings = load_settings(assignments=["detect.detector=haar", f"detect.haar.cascade={cascade}"], environment={})
    video, detect = settings.video, settings.detect
    info, plan = probe(path, max_pixels=video.max_pixels)
    aspect = float(info.sample_aspect_ratio)
    tracker = make_tracker("iou", {}, gap_seconds=settings.track.gap_seconds)
    weights, track_ids = [np.zeros(0)], [np.zeros(0, np.int32)]
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
        found = detect_faces(
            frames,
            make_detector("haar", detect.chosen_options),
            search=SearchPlan.of(detect),
            work=SearchWork(),
            min_face_px=None,
            min_face_share=detect.min_face_share,
            min_confidence=0.0,
            pixel_aspect=1 / aspect if info.rotation_degrees % 180 else aspect,
        )
        for _, seen, _ in found:
            weights.append(weight_of(seen.confidence, cascade))
            track_ids.append(tracker.update(seen.boxes, seen.pts_seconds))
    return Found(np.concatenate(weights), np.concatenate(track_ids))


def weight_of(confidence: np.ndarray, cascade: str) -> np.ndarray:
    """The level weights, float64 (n,), that the detector's map turned into confidences (n,)."""
    _, _, midpoint, scale = CASCADES[cascade]
    share = np.clip(confidence.astype(np.float64), 1e-7, 1 - 1e-7)
    return np.asarray(midpoint + scale * np.log(share / (1 - share)))


def fit_logistic(positive: np.ndarray, negative: np.ndarray, each: np.ndarray) -> tuple[float, float]:
    """Midpoint and scale of P(face | weight), both kinds weighing the same in all; Newton's method.

    `each` says how much every one of `positive` counts; it sums to 1.
    """
    x = np.concatenate([positive, negative])
    y = np.concatenate([np.ones(len(positive)), np.zeros(len(negative))])
    importance = np.concatenate([0.5 * each, np.full(len(negative), 0.5 / len(negative))])
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
    parser.add_argument("--cascades", nargs="+", default=["alt2"], choices=list(CASCADES))
    arguments = parser.parse_args()
    clips, empty = find_videos(arguments.faces).videos, find_videos(arguments.empty).videos
    for cascade in arguments.cascades:
        on: list[np.ndarray] = []
        off: list[np.ndarray] = []
        for path in clips:
            found = search(path, cascade)
            on.append(found.weights[found.is_main])
            off.append(found.weights[~found.is_main])
        off += [search(path, cascade).weights for path in empty]
        on = [own for own in on if len(own)]
        positive, negative = np.concatenate(on), np.concatenate(off)
        each = np.concatenate([np.full(len(own), 1 / len(own) / len(on)) for own in on])
        midpoint, scale = fit_logistic(positive, negative, each)
        print(
            f"{cascade}: midpoint {midpoint:.2f}, scale {scale:.2f}; AUC {area_under_roc(positive, negative):.3f} "
            f"of {len(positive)} faces in {len(on)} clips against {len(negative)} false boxes"
        )


if __name__ == "__main__":
    main()
