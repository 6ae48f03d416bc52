"""The settings of how a video is read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from fervid.base.clock import parse_zone
from fervid.config.section import Section
from fervid.errors import ConfigError
from fervid.video.sampling import Sampling


class VideoSettings(Section):
    """How the video is read."""

    fps: float = Field(
        default=5.0, ge=0, le=1000, description="analysed frames per second of video; 0 takes every frame"
    )
    every: int | None = Field(
        default=None, ge=1, description="analyse every N-th frame of the video, whatever its time, instead of fps"
    )
    start_seconds: float = Field(default=0.0, ge=0, description="start of the analysed part")
    end_seconds: float | None = Field(default=None, gt=0, description="end of the analysed part")
    stream: int | None = Field(
        default=None,
        ge=0,
        description="number of the video stream, from 0, of a file with several; default: the one marked as default, "
        "else the longest",
    )
    rotate: Literal[0, 90, 180, 270] = Field(
        default=0, description="degrees to turn images by, clockwise, for a camera that was mounted that way"
    )
    crop: tuple[int, int, int, int] | None = Field(
        default=None, description="look for faces only within x, y, width, height, in pixels of the image as shown"
    )
    start_time: str | None = Field(
        default=None,
        description="when the recording began, as 2026-11-20T22:00:00; default: as the name or the file says",
    )
    time_zone: str | None = Field(
        default=None, description="time zone of recording times without one: a name such as Europe/Berlin, or +02:00"
    )
    fast_scan: bool = Field(
        default=False, description="scan key frames first; analyse only intervals in which a key frame shows a face"
    )
    segment_seconds: float = Field(
        default=30.0, ge=1, description="length of the segments that are observed and resumed separately"
    )
    decoder_threads: int = Field(
        default=1, ge=1, le=64, description="with more than one, frames of damaged footage may differ between runs"
    )
    max_pixels: int = Field(default=8192 * 8192, gt=0, description="larger frames are refused as decompression bombs")
    max_bad_packet_share: float = Field(
        default=0.5, gt=0, le=1, description="a file with a larger share of broken packets is refused"
    )

    @field_validator("start_time", mode="before")
    @classmethod
    def _times_of_toml_are_text(cls, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime) else value

    @model_validator(mode="after")
    def _times_can_be_read(self) -> VideoSettings:
        if self.start_time is not None:
            try:
                datetime.fromisoformat(self.start_time)
            except ValueError:
                raise ValueError(f"start_time {self.start_time!r} is not a time: write 2026-11-20T22:00:00") from None
        if self.time_zone is not None:
            try:
                parse_zone(self.time_zone)
            except ConfigError as problem:
                raise ValueError(str(problem)) from None
        return self

    @model_validator(mode="after")
    def _crop_is_an_area(self) -> VideoSettings:
        if self.crop is not None and (min(self.crop) < 0 or min(self.crop[2:]) < 1):
            raise ValueError(
                f"crop {self.crop} is not an area: give x, y, width and height in pixels, as in 0,0,640,480"
            )
        return self

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> VideoSettings:
        if self.end_seconds is not None and self.end_seconds <= self.start_seconds:
            raise ValueError(f"the end ({self.end_seconds:g} s) is not after the start ({self.start_seconds:g} s)")
        return self

    @property
    def sampling(self) -> Sampling:
        """Which frames are analysed."""
        return Sampling(self.fps, self.every)

    def results_depend_on(self) -> dict[str, Any]:
        """The section without limits, without the unused way of sampling, and without unused ways to pick the image."""
        unused = {name for name in ("stream", "crop") if getattr(self, name) is None}
        unused |= {"start_time", "time_zone"} | (set() if self.rotate else {"rotate"})
        return self.model_dump(mode="json", exclude={"max_pixels", "every" if self.every is None else "fps", *unused})
