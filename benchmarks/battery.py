"""Every part on which a model, a preset or a rule has to stand before it ships, in one table.

    python benchmarks/battery.py [MODEL ...] --data FER2013 --clips FOLDER --stills FOLDER
        [--presets default fast] [--set detect.detector=centerface ...] [--fer-python FER_VENV/bin/python]

MODEL is a shipped model's name or a folder; without one each preset's own is measured. FER2013 is the CSV file of that
set. The folders hold clips, or photographs, and `labels.csv` (columns file, emotion, and for clips confidence; the sure
ones are asked for). Faces are found by fervid's own detector with the preset's settings, once, and kept in --cache, as
are the answers of the package `fer` (its defaults). A clip's answer is the emotion with the largest share of the face
time. "clips ECE" is the calibration error of all faces of the clips, "by person" the mean over people of that of their
own. With `--readouts on` labels are read out over time, by read-outs that are fitted again without the person who is
asked about, and without the half of the photographs that is: each is read out as a video of one frame. Lines that begin
with "baseline" have the person's clips, unlabelled, as baseline; those that begin with "still face" read photographs
out as long videos of a face that does not move.

The first row is the reference. Another ships when its mean is higher and no part falls below the lower end of the
reference's 95 % Wilson interval for that part. PublicTest only: PrivateTest is never read here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

import fervid
from battery_faces import Clip, Still, load_clips, load_stills
from battery_peer import peer_on_clips, peer_on_stills
from battery_readout import Photographs, half_models, left_out_models, scored_again, windows_of
from fervid.base import assets
from fervid.config import Settings
from fervid.emotion import make_classifier
from fervid.emotion.heads import label_probabilities
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.baseline import shared_shifts
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret
from fervid.run.summary import results_in_numbers
from fervid.run.usable import usable_faces
from fervid.stats.metrics import (
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    mcnemar_p,
    wilson_interval,
)
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset, load_fer2013

ANGRY = "angry"
# Decision SCO-6.
PARTS = ("PublicTest", "stills", "stills balanced", "clips")


@dataclass(frozen=True)
class Row:
    """One line of the table. Shares are 0..1; `n` are the cases behind each part of the mean."""

    name: str
    parts: dict[str, float]
    n: dict[str, int]
    more: dict[str, float | None]
    emotions: dict[str, str] = field(default_factory=dict)
    """The label of each clip."""
    answers: dict[str, str | None] = field(default_factory=dict)
    """To each clip."""
    by_baseline: dict[str, str | None] = field(default_factory=dict)
    """The same with the person's clips, unlabelled, as baseline."""

    @property
    def mean(self) -> float | None:
        """Of the parts, for a row that has them all."""
        return float(np.mean([self.parts[part] for part in PARTS])) if set(PARTS) <= set(self.parts) else None


def main() -> None:
    arguments = parse_arguments()
    cache = arguments.cache
    options = dict(one.split("=", 1) for one in arguments.set)
    faces = load_fer2013(arguments.data).split("PublicTest")
    rows = []
    for preset in arguments.presets:
        settings = fervid.load_settings(preset=preset, options=options, environment={})
        clips = load_clips(arguments.clips, settings, cache)
        stills = load_stills(arguments.stills, settings, EMOTIONS, cache)
        for model in arguments.models or [settings.emotion.model]:
            for use in arguments.readouts:
                name = preset if not arguments.models else f"{Path(model).name}, {preset}"
                chosen = settings.model_copy(update={"readout": settings.readout.model_copy(update={"use": use})})
                rows.append(measure(f"{name}, read out" if use == "on" else name, model, chosen, faces, stills, clips))
    if arguments.fer_python:
        stills = load_stills(arguments.stills, settings, EMOTIONS, cache)
        rows.append(peer_row(arguments, clips, stills, cache))
    print(table(rows))
    print("\n" + "\n".join(verdict(rows[0], row) for row in rows[1:] if row.mean is not None))
    print("\n".join(paired(rows[0], row) for row in rows[1:]))
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) | {"mean": row.mean} for row in rows], indent=1) + "\n")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--presets", nargs="+", default=["default"])
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings on top of each preset")
    parser.add_argument("--readouts", nargs="+", default=["off"], choices=["off", "on"], help="a row for each")
    parser.add_argument("--fer-python", type=Path, help="Python of a virtual environment that holds `fer`")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    parser.add_argument("--json", type=Path, help="where to write all numbers, with the answer to each clip")
    return parser.parse_args()


def measure(
    name: str, model: str, settings: Settings, faces: FaceDataset, stills: list[Still], clips: list[Clip]
) -> Row:
    """One model with the settings of one preset, on all parts."""
    info = load_model_info(assets.model_folder(model))
    emotion = settings.emotion
    classifier = make_classifier("litert", info, flip=emotion.flip)

    def probabilities(crops: np.ndarray) -> np.ndarray:
        return label_probabilities(classifier.predict(crops), info, source=emotion.labels, is_flipped=emotion.flip)

    scores = probabilities(faces.images)
    truth = np.array([info.labels.index(EMOTIONS[code]) for code in faces.labels])
    found = [still for still in stills if still.region is not None]
    crops = np.stack([still.region.crop(info.input_side_px, emotion.crop_margin) for still in found if still.region])
    of_photographs = [(scores, probabilities(crops))]
    scored = [replace(clip, observations=scored_again(clip, classifier, info, emotion.crop_margin)) for clip in clips]
    models = {clip.person: info for clip in clips}
    if settings.readout.use != "off":
        photographs = Photographs.of(faces.images, stills, info, settings)
        models = left_out_models(scored, settings, info, photographs)
        halves = half_models(scored, settings, info, photographs)
        of_photographs = [photographs.read_out(halves, settings, seconds) for seconds in (0.0, np.inf)]
    more: dict[str, float | None] = {}
    for name_of_lines, (of_faces, of_stills) in zip(("", "still face: "), of_photographs, strict=False):
        answered = [info.labels[i] for i in of_stills.argmax(axis=1)]
        said = dict(zip((still.file for still in found), answered, strict=True))
        numbers = {
            "PublicTest": float((of_faces.argmax(axis=1) == truth).mean()),
            "PublicTest balanced": balanced_accuracy(
                confusion_matrix(of_faces.argmax(axis=1), truth, len(info.labels))
            ),
        } | stills_in_numbers(stills, [said.get(still.file) for still in stills])
        more |= {f"{name_of_lines}{key}": value for key, value in numbers.items()}
    parts = {part: float(more.pop(part) or 0.0) for part in PARTS if part in more}
    n = {"PublicTest": len(truth), "stills": len(stills), "stills balanced": len(stills)}
    answers, covered, known, hits = [], [], [], []
    for clip in scored:
        model_of_clip = models[clip.person]
        tables = interpret(
            clip.observations, settings, model_of_clip, video_id=clip.file, duration_seconds=clip.duration_seconds
        )
        numbers = results_in_numbers(tables.timeline, tables.faces, tables.tracks, list(info.labels))
        answers.append(numbers["dominant"])
        covered.append(numbers["coverage"])
        kind = "p" if settings.readout.use == "off" else "r"
        of_faces = np.stack([tables.faces[f"{kind}_{label}"].to_numpy() for label in info.labels], axis=1)
        known.append(of_faces)
        hits.append(np.full(len(of_faces), info.labels.index(clip.emotion)))
    of_clips = clips_in_numbers(clips, answers)
    parts["clips"], n["clips"] = of_clips.pop("clips"), len(clips)
    more |= of_clips | {
        "coverage": float(np.mean(covered)),
        "clips ECE": expected_calibration_error(np.concatenate(known), np.concatenate(hits)),
    }
    more |= calibration_of_people(clips, known, hits)
    by_baseline = with_baselines(scored, settings, models)
    more |= {f"baseline: {name}": value for name, value in clips_in_numbers(clips, by_baseline).items()}
    return Row(
        name,
        parts,
        n,
        more,
        {clip.file: clip.emotion for clip in clips},
        {clip.file: answer for clip, answer in zip(clips, answers, strict=True)},
        {clip.file: answer for clip, answer in zip(clips, by_baseline, strict=True)},
    )


def calibration_of_people(clips: list[Clip], known: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, float]:
    """ECE over the faces of each person alone: probabilities (n, C) and labels (n,) of each clip."""
    found = []
    for person in sorted({clip.person for clip in clips}):
        own = [i for i, clip in enumerate(clips) if clip.person == person]
        faces, labels = (np.concatenate([values[i] for i in own]) for values in (known, truth))
        if len(faces):
            found.append(expected_calibration_error(faces, labels))
    return {"clips ECE by person": float(np.mean(found)), "clips ECE, worst person": max(found)}


def with_baselines(clips: list[Clip], settings: Settings, models: dict[str, ModelInfo]) -> list[str | None]:
    """The answer to each clip with a baseline over all clips of its person, unlabelled, as from a list's `person`."""
    settings = settings.model_copy(update={"baseline": settings.baseline.model_copy(update={"scope": "video"})})
    windows = {clip.file: windows_of(clip, settings, models[clip.person]) for clip in clips}
    answers = []
    for clip in clips:
        model, emotion = models[clip.person], settings.emotion
        own = [windows[other.file] for other in clips if other.person == clip.person]
        shared = shared_shifts(own, model, settings.baseline, source=emotion.labels, is_flipped=emotion.flip)
        tables = interpret(
            clip.observations,
            settings,
            model,
            video_id=clip.file,
            duration_seconds=clip.duration_seconds,
            shared=shared if len(own) > 1 else None,
        )
        kind = "b" if settings.readout.use == "off" else "r"
        answers.append(leading(tables, [f"{kind}_{label}" for label in model.labels], model.labels))
    return answers


def leading(tables: Tables, columns: list[str], labels: tuple[str, ...]) -> str | None:
    """The label that leads in most usable faces; clips have one face per frame at an even rate."""
    usable = usable_faces(tables.faces["abstain"])
    scores = np.stack([tables.faces[name].to_numpy() for name in columns], axis=1)[usable]
    return labels[int(np.bincount(scores.argmax(axis=1), minlength=len(labels)).argmax())] if len(scores) else None


def stills_in_numbers(stills: list[Still], answers: list[str | None]) -> dict[str, float]:
    """A photograph without a found face counts as wrong."""
    truth = np.array([still.emotion for still in stills])
    said = np.array([answer or "" for answer in answers])
    right = truth == said
    recalls = {label: float(right[truth == label].mean()) for label in sorted(set(truth.tolist()))}
    return {
        "stills": float(right.mean()),
        "stills balanced": float(np.mean(list(recalls.values()))),
        "stills found": float((said != "").mean()),
        "stills angry": recalls[ANGRY],
        "stills false angry": float((said[truth != ANGRY] == ANGRY).mean()),
        "stills neutral": recalls["neutral"],
        "stills fear": recalls["fear"],
        "stills disgust": recalls["disgust"],
        "stills surprise": recalls["surprise"],
    }


def clips_in_numbers(clips: list[Clip], answers: list[str | None]) -> dict[str, float]:
    truth = np.array([clip.emotion for clip in clips])
    said = np.array([answer or "" for answer in answers])
    return {
        "clips": float((truth == said).mean()),
        "clips right": float((truth == said).sum()),
        "clips angry": float((said[truth == ANGRY] == ANGRY).mean()),
        "clips false angry": float((said[truth != ANGRY] == ANGRY).mean()),
        "clips false surprise": float((said[truth != "surprise"] == "surprise").mean()),
        "clips without a face": float((said == "").sum()),
    }


def peer_row(arguments: argparse.Namespace, clips: list[Clip], stills: list[Still], cache: Path) -> Row:
    python = arguments.fer_python
    of_clips = peer_on_clips(python, [arguments.clips / clip.file for clip in clips], cache)
    of_stills = peer_on_stills(python, [arguments.stills / still.file for still in stills], cache)
    numbers = stills_in_numbers(stills, of_stills) | clips_in_numbers(clips, of_clips)
    parts = {part: numbers.pop(part) for part in PARTS if part in numbers}
    n = {"stills": len(stills), "stills balanced": len(stills), "clips": len(clips)}
    answers = {clip.file: answer for clip, answer in zip(clips, of_clips, strict=True)}
    return Row("fer", parts, n, dict(numbers), answers=answers)


def table(rows: list[Row]) -> str:
    """A line for each number, a column for each row: the names of presets and models are long."""
    names = [*PARTS, *dict.fromkeys(key for row in rows for key in row.more)]
    width = max(14, *(len(row.name) + 2 for row in rows))
    lines = [f"{'':<22}" + "".join(f"{row.name:>{width}}" for row in rows)]
    for name in ["mean", *names]:
        values = [row.mean if name == "mean" else (row.parts | row.more).get(name) for row in rows]
        cells = ["" if v is None else f"{v:.0f}" if name.endswith(COUNTS) else f"{v:.3f}" for v in values]
        lines.append(f"{name:<22}" + "".join(f"{cell:>{width}}" for cell in cells))
    return "\n".join(lines)


COUNTS = ("clips right", "clips without a face")
"""Lines of the table that are whole numbers."""


def verdict(reference: Row, row: Row) -> str:
    """Whether a row ships in the reference's place, and if not, why."""
    assert reference.mean is not None
    assert row.mean is not None
    fallen = [
        f"{part} {row.parts[part]:.3f} below {low:.3f}"
        for part in PARTS
        if row.parts[part] < (low := wilson_interval(reference.parts[part], reference.n[part])[0])
    ]
    gain = row.mean - reference.mean
    answer = "ships" if gain > 0 and not fallen else "does not ship"
    return f"{row.name}: mean {gain:+.4f} against {reference.name}{''.join('; ' + one for one in fallen)}: {answer}"


def paired(reference: Row, row: Row) -> str:
    """McNemar's exact test on the clips, by themselves and with the person's clips as baseline."""
    labels = row.emotions or reference.emotions
    texts = []
    for kind, answers in (("each by itself", row.answers), ("with the baseline", row.by_baseline)):
        if answers:
            gained = sum(answers[f] == e and reference.answers[f] != e for f, e in labels.items())
            lost = sum(answers[f] != e and reference.answers[f] == e for f, e in labels.items())
            texts.append(f"{kind} {gained} gained, {lost} lost, p = {mcnemar_p(gained, lost):.2g}")
    return f"{row.name}: clips against {reference.name}: {'; '.join(texts)}"


if __name__ == "__main__":
    main()
