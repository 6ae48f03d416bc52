"""Every part on which a model, a preset or a rule has to stand before it ships, in one table.

    python benchmarks/battery.py [MODEL ...] --data FER2013 --clips FOLDER --stills FOLDER
        [--presets default fast] [--set detect.detector=centerface ...] [--fer-python FER_VENV/bin/python]

MODEL is a shipped model's name or a folder; without one each preset's own is measured. FER2013 is the CSV file of that
set. The folders hold clips, or photographs, and `labels.csv` (columns file, emotion, and for clips confidence; the sure
ones are asked for). Faces are found by fervid's own detector with the preset's settings, once, and kept in --cache, as
are the answers of the package `fer` (its defaults). A clip's answer is the emotion with the largest share of the face
time. Whatever is fitted to these clips is fitted again without the person who is asked about: with
`--readouts on` the read-out. Lines that begin with "baseline" have the person's clips, unlabelled, as baseline;
those that begin with "read out" take each photograph for a video of one frame.

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
import pyarrow as pa

import fervid
from battery_faces import Clip, Still, load_clips, load_stills
from battery_peer import peer_on_clips, peer_on_stills
from fervid.base import assets
from fervid.batch.labelled import labelled_recordings
from fervid.config import Settings
from fervid.emotion import Classifier, make_classifier
from fervid.emotion.crops import crop_quality
from fervid.emotion.face_quality import measure_face_quality
from fervid.emotion.heads import label_probabilities
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.baseline import Windows, shared_shifts
from fervid.interpret.readout import read_out
from fervid.interpret.tables import Tables
from fervid.interpret.whole import interpret, windows_of_person
from fervid.observe.observations import face_arrays
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
from fervid.train.fit.readout import FITTED_TO, ReadoutFitter

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
    parts, n, more = {"PublicTest": float((scores.argmax(axis=1) == truth).mean())}, {"PublicTest": len(truth)}, {}
    more["PublicTest balanced"] = balanced_accuracy(confusion_matrix(scores.argmax(axis=1), truth, len(info.labels)))

    found = [still for still in stills if still.region is not None]
    crops = np.stack([still.region.crop(info.input_side_px, emotion.crop_margin) for still in found if still.region])
    answered = dict(
        zip((s.file for s in found), (info.labels[i] for i in probabilities(crops).argmax(axis=1)), strict=True)
    )
    of_stills = stills_in_numbers(stills, [answered.get(still.file) for still in stills])
    parts |= {part: of_stills.pop(part) for part in ("stills", "stills balanced")}
    n |= {"stills": len(stills), "stills balanced": len(stills)}
    more |= of_stills

    scored = [replace(clip, observations=scored_again(clip, classifier, info, emotion.crop_margin)) for clip in clips]
    models = {clip.person: info for clip in clips}
    if settings.readout.use != "off":
        models, of_faces = left_out_models(scored, settings, info, classifier, faces)
        more |= of_faces
        read = [read_out_alone(classifier.predict(crop[None]), models[""], settings)[0] for crop in crops]
        said = dict(zip((s.file for s in found), (info.labels[int(one.argmax())] for one in read), strict=True))
        of_stills = stills_in_numbers(stills, [said.get(still.file) for still in stills])
        more |= {f"read out: {name}": value for name, value in of_stills.items() if name != "stills found"}
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


def windows_of(clip: Clip, settings: Settings, info: ModelInfo) -> dict[str, Windows]:
    return windows_of_person(clip.observations, settings, info, duration_seconds=clip.duration_seconds)


def left_out_models(
    clips: list[Clip], settings: Settings, info: ModelInfo, classifier: Classifier, faces: FaceDataset
) -> tuple[dict[str, ModelInfo], dict[str, float | None]]:
    """For each person the model with a read-out that was fitted without them; that of all is under "".

    Also how many of the photographs that it was not fitted to are right, before and after.
    """
    seen = [(clip.file, clip.emotion, clip.person, windows_of(clip, settings, info)) for clip in clips]
    recordings = labelled_recordings(seen, info, settings.baseline, is_flipped=settings.emotion.flip)
    logits = classifier.predict(faces.images)
    fitter = ReadoutFitter(info, logits)
    models = {}
    for person in ["", *sorted({clip.person for clip in clips})]:
        fitted = fitter.fit([recording for recording in recordings if recording.person != person])
        models[person] = replace(info, readout=fitted.readout(info))
    unseen = np.arange(len(logits)) % FITTED_TO > 0
    truth = np.array([info.labels.index(EMOTIONS[code]) for code in faces.labels])[unseen]
    before = label_probabilities(logits[unseen], info, source=settings.emotion.labels).argmax(axis=1)
    after = read_out_alone(logits[unseen], models[""], settings).argmax(axis=1)
    return models, {
        "PublicTest unseen": float((before == truth).mean()),
        "read out: PublicTest unseen": float((after == truth).mean()),
    }


def read_out_alone(logits: np.ndarray, info: ModelInfo, settings: Settings) -> np.ndarray:
    """The read-out of single faces: each as a recording of one frame."""
    assert info.readout is not None
    return read_out(logits, info.readout, info, settings)


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


def scored_again(clip: Clip, classifier: Classifier, info: ModelInfo, margin: float) -> pa.Table:
    """The clip's observations with the logits, the quality and the looks of its faces cut at this margin."""
    faces = face_arrays(clip.observations)
    side = info.input_side_px
    crops = np.stack([region.crop(side, margin) for region in clip.regions]) if clip.regions else np.zeros((0, side, side), np.uint8)  # fmt: skip # noqa: E501
    found = {
        "logits": classifier.predict(crops),
        "quality": crop_quality(crops, faces["boxes"]),
        "looks": measure_face_quality(crops, faces["looks"][:, 2:]),
    }
    observations = clip.observations
    for name, values in found.items():
        lists = [values[faces["row"] == row].ravel() for row in range(observations.num_rows)]
        at = observations.schema.get_field_index(name)
        observations = observations.set_column(at, observations.schema.field(at), [pa.array(lists, observations.schema.field(at).type)])  # fmt: skip # noqa: E501
    return observations


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
