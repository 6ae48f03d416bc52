"""The first half: one segment of a video to its observations. Knows nothing of tracks, smoothing or timelines.

Observations are the results of decoding, detection and the CNN: one row per sampled frame, in one Parquet file per
segment, published by one atomic rename. They depend on the segment and the settings of this half alone.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from fervid.base.threads import ahead
from fervid.base.types import Detections, FaceCrops, FaceScores, Frame, Segment, VideoInfo
from fervid.config import Settings
from fervid.detect import make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.stage import detect_faces
from fervid.emotion import Classifier, make_classifier
from fervid.emotion.model import ModelInfo
from fervid.observe.flow import FlowWatch, flow_watch
from fervid.observe.scoring import cut_out_faces, score_faces
from fervid.observe.stages import WAITING, StageClock
from fervid.video.fast_scan import scan, why_not_scanned
from fervid.video.ledger import Ledger
from fervid.video.probe import PacketPlan
from fervid.video.reader import read_frames

log = logging.getLogger(__name__)

FRAMES_AHEAD, CROPS_AHEAD = 2, 32
"""A queued frame holds a full image of the decoder, a queued crop a few kilobytes."""


@dataclass(frozen=True, slots=True)
class StageSeconds:
    """Busy wall seconds of each stage, without waiting for other stages."""

    decode: float = 0.0
    detect: float = 0.0
    crop: float = 0.0
    classify: float = 0.0

    @property
    def bottleneck(self) -> str:
        """The stage that was busy longest: the stages run in parallel, so it is the bottleneck."""
        return max(self.__slots__, key=lambda name: float(getattr(self, name)))


class Observer:
    """Observes segments of one video, one after the other, with one detector and one classifier.

    Decoding, and the search with the cropping after it, each run in a thread of their own, ahead of the classifier in
    the caller's. Results do not depend on how far.
    """

    def __init__(
        self,
        info: VideoInfo,
        plan: PacketPlan,
        settings: Settings,
        model: ModelInfo,
        *,
        runner: str,
        classifier: Classifier | None = None,
        frames_ahead: int = FRAMES_AHEAD,
        crops_ahead: int = CROPS_AHEAD,
    ) -> None:
        """`classifier` replaces the one made here, and runs in another process.

        `frames_ahead` frames and the crops of `crops_ahead` frames may wait for the next stage; 0: no thread.

        Raises ConfigError or ModelError when the detector or the classifier cannot be made.
        """
        self.work = SearchWork()
        """The counters of the face search so far."""
        self._clock = StageClock(stage.name for stage in fields(StageSeconds))
        self._info, self._plan, self._settings = info, plan, settings
        self._side_px = model.input_side_px
        self._frames_ahead, self._crops_ahead = frames_ahead, crops_ahead
        detect = settings.detect
        # Made here, so that a wrong setting is reported before anything is written.
        self._detector = make_detector(detect.detector, detect.chosen_options)
        self._search_plan = SearchPlan.of(detect)
        self._classifier = classifier or make_classifier(
            runner, model, batch_size=settings.emotion.batch_size, flip=settings.emotion.flip
        )
        self._is_scanned = settings.video.fast_scan and not why_not_scanned(info, plan, settings.video.sampling)

    @property
    def seconds(self) -> StageSeconds:
        """Busy time of each stage so far."""
        return StageSeconds(**self._clock.seconds)

    def observe(self, segment: Segment, ledger: Ledger) -> Generator[FaceScores, None, None]:
        """The scored faces of every sampled frame of a segment. `ledger` is complete when the last one has passed.

        Leaving the stream early ends the threads; what fails in one of them is raised here.
        """
        timed = self._clock.timed
        with closing(self.cut_out(segment, ledger)) as crops:
            scored = score_faces(timed(crops, WAITING), self._classifier, batch_size=self._settings.emotion.batch_size)
            yield from timed(scored, "classify")

    def cut_out(self, segment: Segment, ledger: Ledger) -> Generator[FaceCrops, None, None]:
        """The same up to the classifier: the crops of every sampled frame."""
        timed, margin, shape = self._clock.timed, self._settings.emotion.crop_margin, self._detector.box_shape
        flow = flow_watch(self._settings)
        found = timed(self._found(segment, ledger, flow), "detect")
        cut = timed(cut_out_faces(found, side_px=self._side_px, margin=margin, box_shape=shape, flow=flow), "crop")
        if (area := self._settings.video.crop) is not None:
            cut = (_moved(crops, area[0], area[1]) for crops in cut)
        return ahead(cut, n_items=self._crops_ahead, name="detect")

    def _found(
        self, segment: Segment, ledger: Ledger, flow: FlowWatch | None
    ) -> Iterator[tuple[Frame, Detections, np.ndarray]]:
        """The frames of a segment with their faces; each piece of it is searched as if nothing came before."""
        if not self._is_scanned:
            yield from self._search(self._decoded(segment, ledger), self._search_plan, flow)
            return
        pieces = scan(
            self._info.path, self._info, self._plan, segment, ledger, self._has_face, **self._range(), **self._decoder()
        )
        for piece in pieces:
            of_piece = Ledger()
            yield from self._search(self._decoded(piece, of_piece), self._search_plan, flow)
            ledger.add(of_piece)

    def _has_face(self, frame: Frame) -> bool:
        """Whether a single image shows a face, searched in full."""
        return any(len(found.boxes) for _, found, _ in self._search(iter([frame]), SearchPlan(full_search_seconds=0)))

    def _decoded(self, segment: Segment, ledger: Ledger) -> Iterator[Frame]:
        frames = read_frames(
            self._info.path, self._info, self._plan, segment, ledger, **self._range(), **self._decoder()
        )
        decoded = self._clock.timed(frames, "decode")
        with closing(ahead(decoded, n_items=self._frames_ahead, name="decode")) as ready:
            yield from self._clock.timed(ready, WAITING)

    def _search(
        self, frames: Iterator[Frame], search: SearchPlan, flow: FlowWatch | None = None
    ) -> Iterator[tuple[Frame, Detections, np.ndarray]]:
        detect = self._settings.detect
        if (area := self._settings.video.crop) is not None:
            frames = (cropped(frame, area) for frame in frames)
        return detect_faces(
            frames,
            self._detector,
            search=search,
            work=self.work,
            min_face_px=detect.min_face_px,
            min_face_share=detect.min_face_share,
            min_confidence=detect.min_confidence,
            pixel_aspect=_displayed_pixel_aspect(self._info),
            is_watched=None if flow is None else flow.is_fast,
        )

    def _range(self) -> dict[str, Any]:
        video = self._settings.video
        return {
            "fps": video.fps,
            "every": video.every,
            "start_seconds": video.start_seconds,
            "end_seconds": video.end_seconds,
        }

    def _decoder(self) -> dict[str, int]:
        video = self._settings.video
        return {"decoder_threads": video.decoder_threads, "max_pixels": video.max_pixels}


def cropped(frame: Frame, area: tuple[int, int, int, int]) -> Frame:
    """The part of a frame to search for faces; the whole frame if a change of size leaves nothing of it."""
    x, y, width, height = area
    part = frame.gray[y : y + height, x : x + width]
    return replace(frame, gray=np.ascontiguousarray(part)) if part.size else frame


def _moved(crops: FaceCrops, x: int, y: int) -> FaceCrops:
    """The faces of a part of a frame in pixels of the frame."""
    found, by = crops.detections, np.array([x, y], np.float32)
    moved = replace(found, boxes=found.boxes + np.tile(by, 2), landmarks=found.landmarks + by)
    return replace(crops, detections=moved)


def _displayed_pixel_aspect(info: VideoInfo) -> float:
    """Width / height of a displayed pixel: a quarter turn turns the pixels too."""
    ratio = float(info.sample_aspect_ratio)
    return 1 / ratio if info.rotation_degrees % 180 else ratio
