"""What the read-out over time changes in videos of people whom nobody has labelled: talk, interviews, scenes.

    python benchmarks/ordinary.py VIDEOS_FOLDER ... [--strengths 0 0.5 1] [--baseline track]

The shipped read-out was fitted to none of these videos. For each strength of the part that grows with time, the table
has by video the distance (total variation, 0..1) between the shares of face time of the labels with `--readout off` and
with the read-out, and how far the share of angry-like time moves. With --baseline both have that baseline, and faces
for which one is known get twice the strength, as in an analysis.

Videos whose names begin alike (up to the first "_") may show the same people: they stay in one half. The strength that
one half allows is reported on the other: the largest whose mean distance is at most MOST_MORE above the smallest.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from fervid.base import assets
from fervid.batch.inputs import find_videos
from fervid.config import Settings
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.emotion.readout import STRENGTH_WITHOUT_BASELINE, Correction, Readout
from fervid.errors import InputError
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.observe.observations import THUMBNAIL, read_observations, read_thumbnails
from fervid.run.usable import usable_faces

MOST_MORE = 0.01
LEAST_FACES = 5


@dataclass(frozen=True)
class Watched:
    name: str
    observations: pa.Table
    duration_seconds: float

    @property
    def people(self) -> str:
        """The same for all videos that may show the same people."""
        return Path(self.name).stem.split("_")[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", metavar="VIDEOS_FOLDER")
    parser.add_argument("--strengths", nargs="+", type=float, default=[0.0, 0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--baseline", default="off", choices=["off", "track", "video"])
    arguments = parser.parse_args()
    options = {"readout.use": "on", "baseline.scope": arguments.baseline}
    settings = fervid.load_settings(environment={}, options=options)
    info = load_model_info(assets.model_folder(settings.emotion.model))
    videos = [one for path in find_videos(arguments.videos).videos if (one := watch(path, settings)) is not None]
    before = [shares(one, "b" if arguments.baseline != "off" else "s", info, settings) for one in videos]
    found = {}
    print(f"{len(videos)} videos; by video: distance, angry-like share without and with the read-out")
    for strength in arguments.strengths:
        assert info.readout is not None
        model = replace(info, readout=grown_to(info.readout, strength))
        after = [shares(one, "r", model, settings) for one in videos]
        found[strength] = np.array([(distance(a, b), angrier(a, b, info)) for a, b in zip(before, after, strict=True)])
        texts = [f"{one.name} {tv:.2f} {a[info.labels.index('angry')]:.2f} {b[info.labels.index('angry')]:.2f}"
                 for one, tv, a, b in zip(videos, found[strength][:, 0], before, after, strict=True)]  # fmt: skip
        print(f"strength {strength:g}: {in_words(found[strength])}\n  " + "; ".join(texts), flush=True)
    groups = sorted({one.people for one in videos})
    report_halves(np.array([groups.index(one.people) % 2 for one in videos]), found)


def watch(path: Path, settings: Settings) -> Watched | None:
    """The observations of a video; None where hardly a face is found, or nothing can be read."""
    with tempfile.TemporaryDirectory() as out:
        try:
            run = fervid.analyze(path, out=out, settings=settings, plot=False, device="cpu")
        except InputError:
            return None
        if int(usable_faces(run.faces["abstain"]).sum()) < LEAST_FACES:
            return None
        parts = sorted((run.folder / "observations").glob("*.parquet"))
        observations = pa.concat_tables([read_observations(part)[0] for part in parts])
        observations = observations.append_column(THUMBNAIL, pa.chunked_array(list(read_thumbnails(parts))))
        return Watched(path.name, observations, run.manifest.video["duration_seconds"])


def grown_to(readout: Readout, strength: float) -> Readout:
    """With the part over time as strong, without a baseline, as if STRENGTH_WITHOUT_BASELINE were `strength`."""
    factor = strength / STRENGTH_WITHOUT_BASELINE
    grown = readout.over_time
    rows = tuple(tuple(factor * value for value in row) for row in grown.weights)
    return replace(readout, over_time=Correction(rows, tuple(factor * value for value in grown.bias)))


def shares(one: Watched, kind: str, model: ModelInfo, settings: Settings) -> np.ndarray:
    """The share of each label in the usable faces, by its columns `kind`; samples are evenly spaced."""
    tables: Tables = interpret(
        one.observations, settings, model, video_id=one.name, duration_seconds=one.duration_seconds
    )
    scores = np.stack([tables.faces[f"{kind}_{label}"].to_numpy() for label in model.labels], axis=1)
    leading = scores[usable_faces(tables.faces["abstain"])].argmax(axis=1)
    return np.bincount(leading, minlength=len(model.labels)) / max(len(leading), 1)


def distance(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(before - after).sum() / 2)


def angrier(before: np.ndarray, after: np.ndarray, model: ModelInfo) -> float:
    return float((after - before)[model.labels.index("angry")])


def in_words(found: np.ndarray) -> str:
    moved, angry = found.T
    return (f"mean distance {moved.mean():.3f}, largest {moved.max():.2f}; angry-like time {angry.mean():+.3f}, "
            f"at most {angry.max():+.2f}; {len(found)} videos")  # fmt: skip


def report_halves(halves: np.ndarray, found: dict[float, np.ndarray]) -> None:
    for half in (0, 1):
        own = {strength: values[halves == half] for strength, values in found.items()}
        means = {strength: values[:, 0].mean() for strength, values in own.items()}
        chosen = max(strength for strength, mean in means.items() if mean <= min(means.values()) + MOST_MORE)
        print(f"half {half} allows {chosen:g}; on the other half: {in_words(found[chosen][halves != half])}")


if __name__ == "__main__":
    main()
