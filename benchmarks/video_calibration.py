"""Whether the probabilities of faces in video are as sure as they are right, by person, and what a temperature changes.

    python benchmarks/video_calibration.py CLIPS [--model MODEL] [--preset PRESET] [--cache FOLDER]

CLIPS holds clips of several people and `labels.csv`, as for `benchmarks/battery.py`; only sure labels are used. Each
usable face is one case. Frames of a clip are alike, so intervals draw whole clips (of a person) or people (of all).

The temperature divides the log-probabilities of the answer, on top of the shipped one. It is fitted to the faces of all
other people and measured on the person left out. The last table says how often the first and the second label are right
by the distance between them, which is what `timeline.min_margin` is about.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from battery_faces import Clip, load_clips
from battery_readout import Photographs, left_out_models, scored_again
from fervid.base import assets
from fervid.config import Settings
from fervid.emotion import make_classifier
from fervid.emotion.calibration import fit_temperature, softmax
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.whole import interpret
from fervid.run.usable import usable_faces
from fervid.stats.metrics import expected_calibration_error, negative_log_likelihood

DRAWS = 2000
MARGINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Faces:
    """The usable faces of one clip: log-probabilities per frame and smoothed, each (n, C), and the clip's label."""

    person: str
    single: np.ndarray
    smoothed: np.ndarray
    label: int

    @property
    def truth(self) -> np.ndarray:
        return np.full(len(self.single), self.label)


Measure = Callable[[Sequence[Faces]], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", help="a shipped model or a model folder [the preset's]")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--readout", action="store_true", help="smoothed: read out, fitted without the person")
    parser.add_argument("--data", type=Path, help="with --readout: the CSV file of FER-2013")
    parser.add_argument("--stills", type=Path, help="with --readout: the photographs, as for benchmarks/battery.py")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    arguments = parser.parse_args()
    settings = fervid.load_settings(preset=arguments.preset, environment={})
    model = load_model_info(assets.model_folder(arguments.model or settings.emotion.model))
    found = load_clips(arguments.clips, settings, arguments.cache)
    models = {clip.person: model for clip in found}
    if arguments.readout:
        settings = settings.model_copy(update={"readout": settings.readout.model_copy(update={"use": "on"})})
        photographs = Photographs.load(arguments.data, arguments.stills, model, settings, arguments.cache)
        models = left_out_models(found, settings, model, photographs)
    clips = [watch(clip, settings, models[clip.person]) for clip in found]
    clips = [clip for clip in clips if len(clip.single)]
    people = sorted({clip.person for clip in clips})
    print(f"{model.name}, preset {arguments.preset}: {sum(len(c.single) for c in clips)} faces, {len(clips)} clips, "
          f"{len(people)} people")  # fmt: skip
    by_person(clips, people)
    temperatures(clips, people)
    margins(clips)


def watch(clip: Clip, settings: Settings, model: ModelInfo) -> Faces:
    classifier = make_classifier("litert", model, flip=settings.emotion.flip)
    observations = scored_again(clip, classifier, model, settings.emotion.crop_margin)
    tables = interpret(observations, settings, model, video_id=clip.file, duration_seconds=clip.duration_seconds)
    usable = usable_faces(tables.faces["abstain"])
    kinds = ("p", "s" if settings.readout.use == "off" else "r")
    single, smoothed = (
        np.log(np.maximum(columns(tables.faces, kind, model.labels)[usable], 1e-9)).astype(np.float64) for kind in kinds
    )
    return Faces(clip.person, single, smoothed, model.labels.index(clip.emotion))


def columns(faces: pa.Table, kind: str, labels: Sequence[str]) -> np.ndarray:
    return np.stack([faces[f"{kind}_{label}"].to_numpy() for label in labels], axis=1)


def joined(clips: Sequence[Faces], kind: str = "single") -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (N, C) and labels (N,) of all faces."""
    return np.concatenate([getattr(clip, kind) for clip in clips]), np.concatenate([clip.truth for clip in clips])


def ece(clips: Sequence[Faces], kind: str = "single") -> float:
    logs, truth = joined(clips, kind)
    return expected_calibration_error(softmax(logs), truth)


def overconfidence(clips: Sequence[Faces], kind: str = "single") -> float:
    """Mean confidence less the share that is right: what few faces can tell, where the error over bins is biased."""
    logs, truth = joined(clips, kind)
    return float(softmax(logs).max(axis=1).mean() - (logs.argmax(axis=1) == truth).mean())


def interval(groups: Sequence[Sequence[Faces]], measure: Measure) -> str:
    """95 % of a measure, with whole groups drawn again."""
    random, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        drawn = [clip for i in random.integers(len(groups), size=len(groups)) for clip in groups[i]]
        found.append(measure(drawn))
    low, high = np.quantile(found, [0.025, 0.975])
    return f"{low:+.3f} to {high:+.3f}"


def by_person(clips: Sequence[Faces], people: Sequence[str]) -> None:
    print(f"\n{'person':<36}{'clips':>6}{'faces':>7}{'right':>8}{'confident':>11}{'confident - right':>30}{'ECE':>8}")
    for person in [*people, "all"]:
        own = [clip for clip in clips if person in (clip.person, "all")]
        logs, truth = joined(own)
        groups = [[clip] for clip in own] if person != "all" else of_people(clips)
        gap = overconfidence(own)
        span = f" ({interval(groups, overconfidence)})" if len(groups) > 1 else ""
        print(
            f"{person:<36}{len(own):>6}{len(truth):>7}{(logs.argmax(axis=1) == truth).mean():>8.3f}"
            f"{softmax(logs).max(axis=1).mean():>11.3f}{f'{gap:+.3f}{span}':>30}{ece(own):>8.3f}"
        )
    print(
        f"smoothed, all: confident - right {overconfidence(clips, 'smoothed'):+.3f}, ECE {ece(clips, 'smoothed'):.3f}"
    )


def temperatures(clips: Sequence[Faces], people: Sequence[str]) -> None:
    """What a temperature from other people changes for one who was not seen."""
    fitted = {person: fit_temperature(*joined([clip for clip in clips if clip.person != person])) for person in people}
    scaled = [Faces(c.person, c.single / fitted[c.person], c.smoothed, c.label) for c in clips]
    print(f"\ntemperatures fitted to all others: {min(fitted.values()):.2f} to {max(fitted.values()):.2f}")
    after = {id(before): one for before, one in zip(clips, scaled, strict=True)}

    def nll(some: Sequence[Faces]) -> float:
        return negative_log_likelihood(*joined(some))

    for name, measure in (("ECE", ece), ("confident - right", overconfidence), ("NLL", nll)):

        def change(some: Sequence[Faces], measure: Measure = measure) -> float:
            return measure([after[id(clip)] for clip in some]) - measure(some)

        span = interval(of_people(clips), change)
        print(
            f"{name:<18} {measure(clips):+.3f} -> {measure(scaled):+.3f}   change {change(clips):+.3f} ({span}, people)"
        )
    better = sum(ece([c for c in scaled if c.person == p]) < ece([c for c in clips if c.person == p]) for p in people)
    print(f"the error over bins falls for {better} of {len(people)} people")


def margins(clips: Sequence[Faces]) -> None:
    """How often the first and the second label are right, by the distance between their smoothed probabilities."""
    print(f"\n{'margin':<14}{'faces':>7}{'first right':>13}{'second right':>14}{'first - second':>32}")
    for low, high in pairwise(MARGINS):
        within = [one for clip in clips if len((one := cut(clip, low, high)).smoothed)]
        if not within:
            continue
        first, second = ranks(within)
        gap = f"{lead(within):+.3f} ({interval(of_people(within), lead)})" if len(of_people(within)) > 1 else ""
        print(f"{f'{low:g} to {high:g}':<14}{len(first):>7}{first.mean():>13.3f}{second.mean():>14.3f}{gap:>32}")


def cut(clip: Faces, low: float, high: float) -> Faces:
    ranked = np.sort(np.exp(clip.smoothed), axis=1)
    kept = (ranked[:, -1] - ranked[:, -2] >= low) & (ranked[:, -1] - ranked[:, -2] < high)
    return Faces(clip.person, clip.single[kept], clip.smoothed[kept], clip.label)


def ranks(clips: Sequence[Faces]) -> tuple[np.ndarray, np.ndarray]:
    """Of each face, whether its label is the first and whether it is the second of the smoothed ones."""
    logs, truth = joined(clips, "smoothed")
    order = np.argsort(-logs, axis=1)
    return order[:, 0] == truth, order[:, 1] == truth


def lead(clips: Sequence[Faces]) -> float:
    first, second = ranks(clips)
    return float(first.mean() - second.mean())


def of_people(clips: Sequence[Faces]) -> list[list[Faces]]:
    people: dict[str, list[Faces]] = {}
    for clip in clips:
        people.setdefault(clip.person, []).append(clip)
    return list(people.values())


if __name__ == "__main__":
    main()
