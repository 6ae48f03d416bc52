"""How a model reads labelled clips: for several crop margins, with and without the mirror image, by each of its heads,
and on degraded pictures.

    python benchmarks/robustness.py FOLDER [--model NAME] [--margins 0 0.15 0.3] [--margin 0.15] [--json FILE]

FOLDER holds clips and `labels.csv` (columns file, emotion, confidence). Each clip is analysed once; its faces are then
cut again from the same boxes, from the frames as they are or degraded, so that only what the network sees differs. A
clip agrees when the emotion with the largest share of the face time is its label. NLL is the mean over clips of the
negative log-likelihood of the label by the smoothed probabilities of the faces: it moves before the counts do.
`--margin` is the one at which pictures are degraded. Noise is drawn from a fixed seed.

Knows nothing of how well faces are found in degraded pictures.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa

import fervid
from fervid.base import assets
from fervid.base.opencv import cv2
from fervid.config import Settings
from fervid.detect import make_detector
from fervid.emotion import Classifier, make_classifier
from fervid.emotion.crops import crop_faces
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.whole import interpret
from fervid.observe.observations import THUMBNAIL, face_arrays, read_observations, read_thumbnails
from fervid.run.summary import results_in_numbers
from fervid.video.luma import as_displayed, display_matrix, luma

Degradation = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]
CLEAN = "as it is"
LEAST_PROBABILITY = 1e-6


def smaller(face_px: float) -> Degradation:
    """Shrunk until the face has `face_px` a side, and enlarged again: what a distant face looks like."""

    def degrade(gray: np.ndarray, side_px: float, _: np.random.Generator) -> np.ndarray:
        if side_px <= face_px:
            return gray
        height, width = gray.shape
        size = max(1, round(width * face_px / side_px)), max(1, round(height * face_px / side_px))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)

    return degrade


def blurred(share: float) -> Degradation:
    """A Gaussian whose standard deviation is `share` of the side of the face."""
    return lambda gray, side_px, _: np.asarray(cv2.GaussianBlur(gray, (0, 0), share * side_px), np.uint8)


def compressed(quality: int) -> Degradation:
    """JPEG of that quality: the blocks of a frugal encoder."""

    def degrade(gray: np.ndarray, _: float, __: np.random.Generator) -> np.ndarray:
        _, encoded = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)

    return degrade


def noisy(levels: float) -> Degradation:
    """Gaussian noise of that standard deviation in grey levels: a sensor in the dark."""
    return lambda gray, _, rng: np.clip(gray + rng.normal(0, levels, gray.shape), 0, 255).astype(np.uint8)


DEGRADATIONS: dict[str, Degradation] = {
    CLEAN: lambda gray, _, __: gray,
    "face of 32 px": smaller(32),
    "face of 20 px": smaller(20),
    "blur of 2 %": blurred(0.02),
    "blur of 4 %": blurred(0.04),
    "JPEG quality 30": compressed(30),
    "JPEG quality 10": compressed(10),
    "noise of 10 levels": noisy(10),
    "noise of 25 levels": noisy(25),
}


@dataclass(frozen=True)
class Clip:
    """A labelled clip: its observations, and the picture of each row that has faces."""

    file: str
    emotion: str
    is_sure: bool
    observations: pa.Table
    duration_seconds: float
    pictures: dict[int, tuple[np.ndarray, bool]]
    box_shape: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default=assets.DEFAULT_MODEL)
    parser.add_argument("--margins", nargs="+", type=float, default=[0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3])
    parser.add_argument("--margin", type=float, default=fervid.Settings().emotion.crop_margin)
    parser.add_argument("--json", type=Path, help="where to write all numbers, with the answer to each clip")
    arguments = parser.parse_args()
    info = load_model_info(assets.model_folder(arguments.model))
    clips = list(read_clips(arguments.folder, arguments.model))
    sources = ["fer2013"] if len(info.heads) == 1 else ["fer2013", "ferplus", "mean"]
    rows = []
    n_sure = sum(clip.is_sure for clip in clips)
    print(f"{info.name}: {len(clips)} clips, {n_sure} of them with sure labels\n")
    print(f"{'margin':>6}  {'pictures':<20}{'views':<7}{'labels':<9}{'agree':>6}{'sure':>6}{'NLL':>8}   by label")
    studied = [(margin, CLEAN) for margin in arguments.margins]
    studied += [(arguments.margin, name) for name in DEGRADATIONS if (arguments.margin, name) not in studied]
    for margin, degradation in studied:
        for flip in (False, True):
            classifier = make_classifier("litert", info, flip=flip)
            scored = [score(clip, classifier, info, margin, DEGRADATIONS[degradation]) for clip in clips]
            for source in sources:
                settings = fervid.load_settings(
                    options={"emotion.labels": source, "emotion.flip": flip}, environment={}
                )
                answers = [
                    answer(clip, observations, settings, info) for clip, observations in zip(clips, scored, strict=True)
                ]
                row = summed_up(clips, answers) | {
                    "margin": margin, "pictures": degradation, "flip": flip, "labels": source
                }  # fmt: skip
                rows.append(row)
                print(as_line(row), flush=True)
    if arguments.json:
        described = {"model": info.name, "weights_sha256": info.weights_sha256, "clips": len(clips), "sure": n_sure}
        arguments.json.write_text(json.dumps(described | {"rows": rows}, indent=1) + "\n", encoding="utf-8")


def read_clips(folder: Path, model: str) -> Iterator[Clip]:
    """Every clip of `labels.csv`, analysed once for its boxes and decoded once for its pictures."""
    settings = fervid.load_settings(options={"emotion.model": model}, environment={})
    detector = make_detector(settings.detect.detector, settings.detect.chosen_options)
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        labelled = list(csv.DictReader(file))
    for row in labelled:
        with tempfile.TemporaryDirectory() as out:
            run = fervid.analyze(folder / row["file"], out=out, settings=settings, plot=False, device="cpu")
            parts = sorted((run.folder / "observations").glob("*.parquet"))
            observations = pa.concat_tables([read_observations(part)[0] for part in parts])
            thumbnails = pa.chunked_array(list(read_thumbnails(parts)))
            observations = observations.append_column(THUMBNAIL, thumbnails)
            duration = run.manifest.video["duration_seconds"]
        pictures = decode(folder / row["file"], observations)
        is_sure = row["confidence"] == "high"
        yield Clip(row["file"], row["emotion"], is_sure, observations, duration, pictures, detector.box_shape)


def decode(path: Path, observations: pa.Table) -> dict[int, tuple[np.ndarray, bool]]:
    """The luma of each row with a face, uint8 (H, W), and whether it has the full range."""
    with_faces = set(face_arrays(observations)["row"].tolist())
    wanted = {pts: row for row, pts in enumerate(observations["pts"].to_pylist()) if row in with_faces}
    with av.open(str(path)) as container:
        found = {}
        for frame in container.decode(video=0):
            if frame.pts in wanted:
                gray, is_full_range = luma(frame)
                found[wanted[frame.pts]] = as_displayed(gray, display_matrix(frame)).copy(), is_full_range
    assert found.keys() == with_faces, f"{path}: {len(found)} of {len(with_faces)} frames were decoded again"
    return found


def score(clip: Clip, classifier: Classifier, info: ModelInfo, margin: float, degradation: Degradation) -> pa.Table:
    """The clip's observations with the logits of its faces cut out anew."""
    faces = face_arrays(clip.observations)
    boxes = faces["boxes"]
    side_px = float(np.median(boxes[:, 2] - boxes[:, 0])) if len(boxes) else 0.0
    rng = np.random.default_rng(0)
    logits = []
    for row in range(clip.observations.num_rows):
        own = boxes[faces["row"] == row]
        if not len(own):
            logits.append([])
            continue
        gray, is_full_range = clip.pictures[row]
        crops = crop_faces(
            degradation(gray, side_px, rng),
            own,
            side_px=info.input_side_px,
            margin=margin,
            is_full_range=is_full_range,
            box_shape=clip.box_shape,
        )
        logits.append(classifier.predict(crops).ravel())
    column = clip.observations.schema.get_field_index("logits")
    return clip.observations.set_column(
        column, clip.observations.schema.field(column), [pa.array(logits, pa.list_(pa.float32()))]
    )


def answer(clip: Clip, observations: pa.Table, settings: Settings, info: ModelInfo) -> dict[str, Any]:
    """The dominant emotion of a clip, and the negative log-likelihood of its label."""
    tables = interpret(observations, settings, info, video_id=clip.file, duration_seconds=clip.duration_seconds)
    numbers = results_in_numbers(tables.timeline, tables.faces, tables.tracks, list(info.labels))
    of_label = tables.faces[f"s_{clip.emotion}"].to_numpy()
    loss = float(-np.log(np.maximum(of_label, LEAST_PROBABILITY)).mean()) if len(of_label) else None
    return {"file": clip.file, "emotion": clip.emotion, "dominant": numbers["dominant"], "nll": loss}


def summed_up(clips: list[Clip], answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of agreement over all clips and over the sure ones, the mean loss, and the counts by label."""
    agrees = [found["dominant"] == clip.emotion for clip, found in zip(clips, answers, strict=True)]
    losses = [found["nll"] for found in answers if found["nll"] is not None]
    totals = Counter(clip.emotion for clip in clips)
    hits = Counter(clip.emotion for clip, agreed in zip(clips, agrees, strict=True) if agreed)
    return {
        "agree": sum(agrees),
        "agree_sure": sum(agreed and clip.is_sure for clip, agreed in zip(clips, agrees, strict=True)),
        "nll": float(np.mean(losses)) if losses else None,
        "by_label": {label: [hits[label], n] for label, n in sorted(totals.items())},
        "answers": answers,
    }


def as_line(row: dict[str, Any]) -> str:
    """One row of the table."""
    by_label = ", ".join(f"{label} {hits}/{n}" for label, (hits, n) in row["by_label"].items())
    loss = "" if row["nll"] is None else f"{row['nll']:.3f}"
    views = "flip" if row["flip"] else "one"
    return (
        f"{row['margin']:6.2f}  {row['pictures']:<20}{views:<7}{row['labels']:<9}{row['agree']:>6}"
        f"{row['agree_sure']:>6}{loss:>8}   {by_label}"
    )


if __name__ == "__main__":
    main()
