"""Read-outs over time for the battery, fitted without what is asked about: a person, or half of the photographs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from battery_faces import Clip, Still, load_stills
from fervid.batch.labelled import labelled_recordings
from fervid.config import Settings
from fervid.emotion import Classifier, make_classifier
from fervid.emotion.crops import crop_quality
from fervid.emotion.face_quality import measure_face_quality
from fervid.emotion.model import ModelInfo
from fervid.interpret.baseline import Windows
from fervid.interpret.readout import read_out
from fervid.interpret.whole import windows_of_person
from fervid.observe.observations import face_arrays
from fervid.train.data.fer2013 import EMOTIONS, load_fer2013
from fervid.train.fit.readout import FITTED_TO, LabelledPhotographs, LabelledRecording, ReadoutFitter


@dataclass(frozen=True)
class Photographs:
    """The logits of PublicTest and of the faces found in `stills` (those with a region)."""

    faces: np.ndarray
    of_stills: np.ndarray
    stills: tuple[Still, ...]

    @classmethod
    def of(cls, faces: np.ndarray, stills: list[Still], info: ModelInfo, settings: Settings) -> Photographs:
        """`faces` are the images of PublicTest."""
        classifier = make_classifier("litert", info, flip=settings.emotion.flip)
        found = tuple(still for still in stills if still.region is not None)
        margin, side = settings.emotion.crop_margin, info.input_side_px
        crops = np.stack([still.region.crop(side, margin) for still in found if still.region])
        return cls(classifier.predict(faces), classifier.predict(crops), found)

    @classmethod
    def load(cls, data: Path, stills: Path, info: ModelInfo, settings: Settings, cache: Path) -> Photographs:
        images = load_fer2013(data).split("PublicTest").images
        return cls.of(images, load_stills(stills, settings, EMOTIONS, cache), info, settings)

    def fitter(self, info: ModelInfo, half: int = 0) -> ReadoutFitter:
        """Fits to one half of the photographs; the shipped read-out to the half 0."""
        own = np.array([still.half == half for still in self.stills])
        labels = np.array([info.labels.index(still.emotion) for still in self.stills])
        return ReadoutFitter(info, self.faces, LabelledPhotographs(self.of_stills[own], labels[own]), first=half)

    def read_out(
        self, halves: tuple[ModelInfo, ModelInfo], settings: Settings, seconds: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities of PublicTest and of stills, each by the model that was not fitted to it, as still faces that
        were seen for `seconds`."""
        of_faces, of_stills = np.arange(len(self.faces)) % FITTED_TO == 0, [still.half == 0 for still in self.stills]
        found = []
        for logits, is_first in zip((self.faces, self.of_stills), (of_faces, np.array(of_stills)), strict=True):
            first, second = (read_out_for(logits, model, settings, seconds) for model in halves)
            found.append(np.where(is_first[:, None], second, first))
        return found[0], found[1]


def recordings_of(clips: list[Clip], settings: Settings, info: ModelInfo) -> list[LabelledRecording]:
    """Clips with the logits of this model."""
    seen = [(clip.file, clip.emotion, clip.person, windows_of(clip, settings, info)) for clip in clips]
    return labelled_recordings(seen, info, settings.baseline, is_flipped=settings.emotion.flip)


def left_out_models(
    clips: list[Clip], settings: Settings, info: ModelInfo, photographs: Photographs
) -> dict[str, ModelInfo]:
    """For each person the model with a read-out that was chosen and fitted without them."""
    recordings, fitter = recordings_of(clips, settings, info), photographs.fitter(info)
    models = {}
    for person in sorted({clip.person for clip in clips}):
        fitted = fitter.fit([recording for recording in recordings if recording.person != person])
        models[person] = replace(info, readout=fitted.readout(info))
    return models


def half_models(
    clips: list[Clip], settings: Settings, info: ModelInfo, photographs: Photographs
) -> tuple[ModelInfo, ModelInfo]:
    """The model with a read-out of all clips and the first half of the photographs, and with one of the second."""
    recordings = recordings_of(clips, settings, info)
    first, second = (photographs.fitter(info, half).fit(recordings).readout(info) for half in range(2))
    return replace(info, readout=first), replace(info, readout=second)


def read_out_for(logits: np.ndarray, info: ModelInfo, settings: Settings, seconds: float) -> np.ndarray:
    """The read-out of single faces, each seen for `seconds` without a change."""
    assert info.readout is not None
    return read_out(logits, np.full(len(logits), seconds), info.readout, info, settings)


def windows_of(clip: Clip, settings: Settings, info: ModelInfo) -> dict[str, Windows]:
    return windows_of_person(clip.observations, settings, info, duration_seconds=clip.duration_seconds)


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
