"""Every part on which a model, a preset or a rule has to stand before it ships, in one table.

    python benchmarks/battery.py [MODEL ...] --data FER2013 --clips FOLDER --stills FOLDER
        [--presets default fast] [--set detect.detector=centerface ...] [--fer-python FER_VENV/bin/python]

MODEL is a shipped model's name or a folder; without one each preset's own is measured. FER2013 is the CSV file of that
set. The folders hold clips, or photographs, and `labels.csv` (columns file, emotion, and for clips confidence; the sure
ones are asked for). Faces are found by fervid's own detector with the preset's settings, once, and kept in --cache, as
are the answers of the package `fer` (its defaults). A clip's answer is the emotion with the largest share of the face
time. Whatever is fitted to these clips is fitted again without the person who is asked about.

The first row is the reference. Another ships when its mean is higher and no part falls below the lower end of the
reference's 95 % Wilson interval for that part. PublicTest only: PrivateTest is never read here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from battery_faces import Clip, Still, load_clips, load_stills
from battery_peer import peer_on_clips, peer_on_stills
from fervid.base import assets
from fervid.config import Settings
from fervid.emotion import Classifier, make_classifier
from fervid.emotion.crops import crop_quality
from fervid.emotion.face_quality import measure_face_quality
from fervid.emotion.heads import label_probabilities
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.interpret.whole import interpret
from fervid.observe.observations import face_arrays
from fervid.run.summary import results_in_numbers
from fervid.stats.metrics import balanced_accuracy, confusion_matrix, expected_calibration_error, wilson_interval
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
    answers: dict[str, str | None] = field(default_factory=dict)
    """To each clip."""

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
            name = preset if not arguments.models else f"{Path(model).name}, {preset}"
            rows.append(measure(name, model, settings, faces, stills, clips))
    if arguments.fer_python:
        stills = load_stills(arguments.stills, settings, EMOTIONS, cache)
        rows.append(peer_row(arguments, clips, stills, cache))
    print(table(rows))
    print("\n" + "\n".join(verdict(rows[0], row) for row in rows[1:] if row.mean is not None))
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

    answers, covered, known, hits = [], [], [], []
    for clip in clips:
        observations = scored_again(clip, classifier, info, emotion.crop_margin)
        tables = interpret(observations, settings, info, video_id=clip.file, duration_seconds=clip.duration_seconds)
        numbers = results_in_numbers(tables.timeline, tables.faces, tables.tracks, list(info.labels))
        answers.append(numbers["dominant"])
        covered.append(numbers["coverage"])
        of_faces = np.stack([tables.faces[f"p_{label}"].to_numpy() for label in info.labels], axis=1)
        known.append(of_faces)
        hits.append(np.full(len(of_faces), info.labels.index(clip.emotion)))
    of_clips = clips_in_numbers(clips, answers)
    parts["clips"], n["clips"] = of_clips.pop("clips"), len(clips)
    more |= of_clips | {
        "coverage": float(np.mean(covered)),
        "clips ECE": expected_calibration_error(np.concatenate(known), np.concatenate(hits)),
    }
    return Row(name, parts, n, more, {clip.file: answer for clip, answer in zip(clips, answers, strict=True)})


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
    return Row("fer", parts, n, dict(numbers), answers)


def table(rows: list[Row]) -> str:
    """A line for each number, a column for each row: the names of presets and models are long."""
    names = [*PARTS, *dict.fromkeys(key for row in rows for key in row.more)]
    width = max(14, *(len(row.name) + 2 for row in rows))
    lines = [f"{'':<22}" + "".join(f"{row.name:>{width}}" for row in rows)]
    for name in ["mean", *names]:
        values = [row.mean if name == "mean" else (row.parts | row.more).get(name) for row in rows]
        cells = ["" if v is None else f"{v:.0f}" if name in COUNTS else f"{v:.3f}" for v in values]
        lines.append(f"{name:<22}" + "".join(f"{cell:>{width}}" for cell in cells))
    return "\n".join(lines)


COUNTS = ("clips right", "clips without a face")


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


if __name__ == "__main__":
    main()
