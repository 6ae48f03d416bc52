"""Which part of a face of a run made the score of a label: the crop as the run's model saw it, covered piece by piece.

The frame is decoded, cut out and scored by the steps of the analysis, with the run's settings and model; the score of
the whole crop must come out as it is stored, or the explanation would be of something else. Draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import pydantic

from fervid.base.clock import clock
from fervid.config import Settings
from fervid.detect import make_detector
from fervid.emotion import make_classifier
from fervid.emotion.crops import crop_faces
from fervid.emotion.model import ModelInfo
from fervid.emotion.occlusion import Occlusion, occlusion_map
from fervid.emotion.plugin import find_model
from fervid.errors import ConfigError, InputError, ModelError
from fervid.interpret.judge import probabilities
from fervid.observe.observer import cropped
from fervid.run.handle import Run
from fervid.run.schema import answers_of
from fervid.run.tables import read_table
from fervid.runtime.device import RUNNERS
from fervid.video.moment import frame_at
from fervid.video.writer import check_is_analysed

NEAR_SECONDS = 1.0
"""A face is looked for so far before and after the moment; the nearest one counts."""
LARGEST_DIFFERENCE = 0.02
"""Between a stored score and the same one today: half precision on a GPU differs by less, another face by more."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face of a run with what made the score of `label`.

    `crop` uint8 (S, S) is what the network saw, `occlusion` what covering parts of it does to the probability of
    `label` in this frame, and `over_time` that probability over time, as the run uses it. `is_leading` says that the
    run gives this face this label; `abstain` is why it should not be used, None if usable.
    `others` are tracks with a face of their own at the same moment.
    """

    video: str
    time_s: float
    frame: int
    track_id: int
    label: str
    is_leading: bool
    over_time: float
    abstain: str | None
    crop: np.ndarray
    occlusion: Occlusion
    model: str
    others: tuple[int, ...]


def explain_face(run: Run, seconds: float, *, track_id: int | None = None, label: str | None = None) -> Explanation:
    """Explain the face of a run that is nearest to `seconds`: of `track_id`, else the largest one of that moment.

    `label` is the one that the run gives that face, unless another is asked for.
    Raises InputError where there is no such face or the run cannot be repeated, ConfigError for a label that the model
    does not have, VideoUnreadable when the video has gone or is another one, ModelError when the model is.
    """
    labels = run.manifest.model["labels"]
    if label is not None and label not in labels:
        raise ConfigError(f"label {label!r} does not exist. The model of this run has {', '.join(labels)}.")
    row, others = _row_of(run, seconds, track_id)
    video, settings, model = Path(run.manifest.video_path), _settings_of(run), _model_of(run)
    check_is_analysed(video, run.manifest.video_id)
    crop = _crop_of(video, row, settings, model)
    chosen = label or str(row["label"])
    classifier = make_classifier(RUNNERS["cpu"], model, flip=settings.emotion.flip)
    column = model.labels.index(chosen)

    def score(crops: np.ndarray) -> np.ndarray:
        return probabilities(classifier.predict(crops), model, settings)[:, column]

    occlusion = occlusion_map(crop, score)
    stored = float(row[f"p_{chosen}"])
    if abs(occlusion.score - stored) > LARGEST_DIFFERENCE:
        raise InputError(
            f"{run.folder}: this face scores {occlusion.score:.2f} for {chosen}, and {stored:.2f} is stored: another "
            "version of fervid made the run. Analyse the video again."
        )
    return Explanation(
        video=PurePath(run.manifest.video_path).name,
        time_s=float(row["time_s"]),
        frame=int(row["frame"]),
        track_id=int(row["track_id"]),
        label=chosen,
        is_leading=chosen == row["label"],
        over_time=float(row[answers_of(run.manifest.model)[column]]),
        abstain=row["abstain"],
        crop=crop,
        occlusion=occlusion,
        model=model.name,
        others=others,
    )


def _row_of(run: Run, seconds: float, track_id: int | None) -> tuple[dict[str, Any], tuple[int, ...]]:
    """The face nearest to a moment, as a row of the table, and the other tracks that have a face in its frame."""
    duration = float(run.manifest.video["duration_seconds"])
    if seconds > duration:
        raise InputError(
            f"{run.folder}: the video ends at {clock(duration)}. Give an earlier --at than {clock(seconds)}."
        )
    span = seconds - NEAR_SECONDS, seconds + NEAR_SECONDS
    near = read_table(run.folder, run.manifest.settings_hash, "faces", between=span).to_pylist()
    own = [row for row in near if track_id in (None, row["track_id"])]
    if not own:
        which = "" if track_id is None else f" of track {track_id}"
        there = sorted({row["track_id"] for row in near})
        hint = f"There are tracks {', '.join(map(str, there))}." if there else "Give a moment at which one is seen."
        raise InputError(f"{run.folder} has no face{which} within {NEAR_SECONDS:g} s of {clock(seconds)}. {hint}")
    row = min(own, key=lambda row: (abs(row["time_s"] - seconds), row["time_s"], -row["w"] * row["h"], row["track_id"]))
    others = {other["track_id"] for other in near if other["frame"] == row["frame"]} - {row["track_id"]}
    return row, tuple(sorted(others))


def _settings_of(run: Run) -> Settings:
    try:
        return Settings.model_validate(run.manifest.settings)
    except pydantic.ValidationError:
        raise InputError(
            f"{run.folder} has settings that this version of fervid does not know. Analyse the video again."
        ) from None


def _model_of(run: Run) -> ModelInfo:
    """The run's model, if it is still the same."""
    model = find_model(run.manifest.settings["emotion"]["model"])
    if model.weights_sha256 != run.manifest.model["weights_sha256"]:
        raise ModelError(
            f"model {model.name} has changed since {run.folder} was made. Put the old one back, or analyse again."
        )
    return model


def _crop_of(video: Path, row: dict[str, Any], settings: Settings, model: ModelInfo) -> np.ndarray:
    """The crop that the network saw, uint8 (S, S)."""
    read = settings.video
    frame = frame_at(
        video,
        pts=row["pts"],
        seconds=row["time_s"],
        segment_seconds=read.segment_seconds,
        decoder_threads=read.decoder_threads,
        max_pixels=read.max_pixels,
        stream=read.stream,
        turn_degrees=read.rotate,
    )
    box = np.array([[row["x"], row["y"], row["x"] + row["w"], row["y"] + row["h"]]], np.float32)
    if read.crop is not None:  # boxes of a run are in pixels of the whole frame
        frame, box = cropped(frame, read.crop), box - np.tile(np.array(read.crop[:2], np.float32), 2)
    (crop,) = crop_faces(
        frame.gray,
        box,
        side_px=model.input_side_px,
        margin=settings.emotion.crop_margin,
        is_full_range=frame.is_full_range,
        box_shape=make_detector(settings.detect.detector, settings.detect.chosen_options).box_shape,
    )
    return np.asarray(crop, np.uint8)
