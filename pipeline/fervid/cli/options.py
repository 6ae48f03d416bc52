"""Options that several commands share, and the settings that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fervid.base import assets
from fervid.base.registry import DETECTOR_PLUGINS, names
from fervid.detect import DEFAULT_DETECTOR, DETECTORS
from fervid.errors import ConfigError

if TYPE_CHECKING:
    from fervid.config import Settings
    from fervid.config.load import SourcedSettings


def _presets(incomplete: str) -> list[str]:
    from fervid.config import preset_names

    return [name for name in preset_names() if name.startswith(incomplete)]


def _detectors(incomplete: str) -> list[str]:
    return [name for name in names(DETECTORS, DETECTOR_PLUGINS) if name.startswith(incomplete)]


def _models(incomplete: str) -> list[str]:
    return [folder.name for folder in assets.shipped_models() if folder.name.startswith(incomplete)]


Runs = Annotated[list[str], typer.Argument(metavar="RUN", help="Run folders, or folders of them.", show_default=False)]
Superseded = Annotated[
    bool, typer.Option("--superseded", help="Include runs whose videos were replaced by others since.")
]
Preset = Annotated[
    str,
    typer.Option("--preset", help="Named settings: default, fast, cctv, trailer.", autocompletion=_presets),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="A setting, as in --set track.gap_seconds=2.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for results; default outputs/.")]
OutPlace = Annotated[
    str | None, typer.Option("-o", "--out", help="Folder for results, or s3://, gs://; default outputs/.")
]
Fps = Annotated[float | None, typer.Option(help="Analysed frames per second of video; 0 means all. [5]")]
Every = Annotated[int | None, typer.Option(help="Analyse every N-th frame of the video, instead of --fps.")]
Start = Annotated[str | None, typer.Option(help="Start of the analysed part: 90, 12.5s or 00:01:02.5.")]
End = Annotated[str | None, typer.Option(help="End of the analysed part.")]
Duration = Annotated[str | None, typer.Option(help="Length of the analysed part, instead of --end.")]
StartTime = Annotated[
    str | None, typer.Option(help="When the recording began: 2026-11-20T22:00:00. [as the name or the file says]")
]
TimeZone = Annotated[
    str | None, typer.Option(help="Time zone of recording times without one: Europe/Berlin or +02:00.")
]
Stream = Annotated[
    int | None, typer.Option(min=0, help="Video stream of a file with several, from 0. [default or longest]")
]
Rotate = Annotated[int | None, typer.Option(help="Turn images clockwise by 90, 180 or 270 degrees. [as the file says]")]
Crop = Annotated[
    str | None, typer.Option(metavar="X,Y,W,H", help="Look for faces only within, in pixels of the image as shown.")
]
FastScan = Annotated[
    bool | None,
    typer.Option(
        "--fast-scan/--no-fast-scan",
        help="Scan key frames first, and analyse only around those that show a face. [no]",
        show_default=False,
    ),
]
BinLength = Annotated[str | None, typer.Option("--bin", help="Length of a timeline bin, such as 1s. [1s]")]
Detector = Annotated[
    str | None,
    typer.Option(help=f"Face detector: {', '.join(DETECTORS)}. [{DEFAULT_DETECTOR}]", autocompletion=_detectors),
]
MinFacePx = Annotated[int | None, typer.Option(help="Smallest face in pixels. [8 % of the height]")]
Model = Annotated[str | None, typer.Option(help="Shipped model or path of a model folder.", autocompletion=_models)]
Labels = Annotated[
    str | None,
    typer.Option(help="Output head: fer2013, ferplus, mean, blend, or auto (blend if the model has both). [auto]"),
]

Baseline = Annotated[
    str | None,
    typer.Option(
        help="Also score relative to a face's usual expression (b_ columns): off, track, or video (one person). [off]"
    ),
]

ReadoutUse = Annotated[
    str | None,
    typer.Option("--readout", help="Labels from the model's read-out over time (r_ columns): on, off or auto. [auto]"),
]


@dataclass(frozen=True)
class SettingsOptions:
    """The options that make settings, as the user wrote them; None means not given."""

    preset: Preset = "default"
    config: ConfigFile = None
    assignments: Assignments = None
    fps: Fps = None
    every: Every = None
    start: Start = None
    end: End = None
    duration: Duration = None
    start_time: StartTime = None
    time_zone: TimeZone = None
    stream: Stream = None
    rotate: Rotate = None
    crop: Crop = None
    fast_scan: FastScan = None
    bin: BinLength = None
    detector: Detector = None
    min_face_px: MinFacePx = None
    model: Model = None
    labels: Labels = None
    baseline: Baseline = None
    readout: ReadoutUse = None


ALTERNATIVES = {"end": ("duration",), "duration": ("end",), "fps": ("every",), "every": ("fps",)}
"""Options for which a video's own value overrides the one for all videos."""


def end_of(start: str | None, end: str | None, duration: str | None) -> float | None:
    """The end of the analysed part in seconds, from `end` or `duration`. Raises ConfigError if both are given."""
    from fervid.config import parse_time

    if duration is None:
        return parse_time(end) if end is not None else None
    if end is not None:
        raise ConfigError(f"--end {end} and --duration {duration} exclude each other. Give one of them.")
    return parse_time(start or "0") + parse_time(duration)


def _area(text: str) -> list[int]:
    """x, y, width and height from their text. Raises ConfigError."""
    try:
        numbers = [int(part) for part in text.replace(";", ",").split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise ConfigError(f"--crop {text} is not an area. Give x, y, width and height in pixels, as in 0,0,640,480.")
    return numbers


class SettingsMaker:
    """Settings for all videos, and for those with their own options; equal options share one settings object.

    A video's own options have the names of `given`.
    """

    def __init__(self, given: SettingsOptions) -> None:
        self._given = given
        self._made: dict[tuple[tuple[str, str], ...], SourcedSettings] = {}

    def __call__(self, own: Mapping[str, str]) -> Settings:
        """The settings of a video with its `own` options."""
        return self.sourced(own).settings

    def sourced(self, own: Mapping[str, str]) -> SourcedSettings:
        """The same, with the source of each value."""
        from fervid.config import parse_time
        from fervid.config.load import load_sourced_settings

        key = tuple(sorted(own.items()))
        if key not in self._made:
            replaced = {other for name in own for other in ALTERNATIVES.get(name, ())}
            options: dict[str, Any] = {
                name: None if name in replaced else value for name, value in vars(self._given).items()
            } | dict(own)
            times = {name: options[name] and parse_time(options[name]) for name in ("start", "bin")}
            self._made[key] = load_sourced_settings(
                preset=options["preset"],
                file=self._given.config,
                assignments=tuple(self._given.assignments or ()),
                options={
                    "video.fps": options["fps"],
                    "video.every": options["every"],
                    "video.start_seconds": times["start"],
                    "video.end_seconds": end_of(options["start"], options["end"], options["duration"]),
                    "video.start_time": options["start_time"],
                    "video.time_zone": options["time_zone"],
                    "video.stream": options["stream"],
                    "video.rotate": options["rotate"] and int(options["rotate"]),
                    "video.crop": options["crop"] and _area(options["crop"]),
                    "video.fast_scan": options["fast_scan"],
                    "timeline.bin_seconds": times["bin"],
                    "detect.detector": options["detector"],
                    "detect.min_face_px": options["min_face_px"],
                    "emotion.model": options["model"],
                    "emotion.labels": options["labels"],
                    "baseline.scope": options["baseline"],
                    "readout.use": options["readout"],
                },
            )
        return self._made[key]
