"""The content of a profile, and its form as JSON. Knows nothing of tables, images or genres.

Every figure comes with the seconds or the share of time that it was measured in; a figure without evidence is None or
NaN (null in JSON), never zero.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from fervid.errors import InputError
from fervid.run.files import PROFILE
from fervid.run.manifest import write_json

PROFILE_VERSION = 1
N_BINS = 20
NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Source:
    """Which run a profile was made from."""

    video_id: str
    name: str
    settings_hash: str
    model: str
    model_sha256: str
    analysed_fps: float
    """Analysed frames per second, as measured."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much was observed. `face_share` and `sure_share` are shares of the observed time and of the face time."""

    span_s: float
    """Length of the stretch of video that was analysed."""
    observed_s: float
    observed_share: float
    covered_s: float
    """Time with at least one usable face."""
    face_share: float
    face_s: float
    """Seconds of usable faces; one second with two faces counts twice."""
    sure_share: float | None
    """Share of `face_s` in which the label was not marked as unsure."""
    n_tracks: int


@dataclass(frozen=True, slots=True)
class Expressions:
    """Over `face_s` seconds of usable faces: `share` of time as the largest, `mean` probability, by label.

    `intensity` is one minus the mean probability of neutral: how far faces look from neutral.
    """

    face_s: float
    coverage: float
    share: dict[str, float | None]
    mean: dict[str, float | None]
    intensity: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Arc:
    """Twenty equal parts of the span: arrays float64 (20,), `mean` and `share` (20, C); NaN without evidence."""

    start_s: np.ndarray
    end_s: np.ndarray
    observed_s: np.ndarray
    coverage: np.ndarray
    """Share of the observed time with a usable face."""
    face_s: np.ndarray
    mean: np.ndarray
    share: np.ndarray
    intensity: np.ndarray
    cuts: np.ndarray
    """Number of shots that begin in it; NaN if cut detection was off."""
    brightness: np.ndarray
    dark_share: np.ndarray
    motion: np.ndarray
    motion_s: np.ndarray
    """Time in which motion could be measured."""
    transitions: np.ndarray
    mixed_s: np.ndarray
    """Time in which two faces show different expressions."""
    action: np.ndarray = field(default_factory=lambda: np.full(N_BINS, np.nan))
    """Mean speed of the image without the camera's motion, in longer sides per second; NaN where not measured."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """Changes of the largest label of a face, from row to column, while it is in view and not unsure."""

    face_s: float
    counts: list[list[int]]
    per_face_minute: float | None


@dataclass(frozen=True, slots=True)
class CoOccurrence:
    """Seconds in which expressions are on screen at once, over `seconds` with two usable faces or more.

    Row and column are labels; the diagonal counts two faces of one label. Symmetric.
    """

    seconds: float
    coverage: float
    pair_s: list[list[float]]


@dataclass(frozen=True, slots=True)
class Peak:
    """A moment at which an expression is strongest: `value` is the smoothed probability, `box` x, y, w, h in pixels."""

    time_s: float
    frame: int
    label: str
    value: float
    track_id: int
    quality: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces on screen. `faces_per_shot` is null if cut detection was off."""

    coverage: float
    mean_faces: float | None
    """Usable faces at a time, over the observed time."""
    height_share: float | None
    """Mean height of usable faces as a share of the frame height."""
    faces_per_shot: float | None
    """Tracks with a usable face per shot."""
    shots_with_faces: int | None
    longest_without_s: float
    """The longest observed stretch without a usable face."""


@dataclass(frozen=True, slots=True)
class Shots:
    """Shots by the cuts that were found, over the observed time."""

    coverage: float
    n_shots: int
    cuts_per_minute: float | None
    mean_s: float
    median_s: float
    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Brightness and motion, 0..1; `coverage` is the share of the observed time in which they were measured."""

    coverage: float
    brightness: float | None
    dark_share: float | None
    motion: float | None
    motion_coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The profile of one video: a fixed set of figures."""

    source: Source
    labels: tuple[str, ...]
    coverage: Coverage
    expressions: Expressions
    arc: Arc
    transitions: Transitions
    co_occurrence: CoOccurrence
    peaks: tuple[Peak, ...]
    faces: Faces
    shots: Shots | None
    """None if cut detection was off."""
    picture: Picture
    notes: tuple[str, ...]
    """Caveats for readers of the figures, as sentences."""

    def to_json(self) -> dict[str, Any]:
        """The content of profile.json; NaN becomes null."""
        return {"schema_version": PROFILE_VERSION} | {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    def write(self, folder: Path, **more: Any) -> Path:
        """Write profile.json into a run folder in one atomic step, with further entries such as `genres`."""
        path = folder / PROFILE
        write_json(path, self.to_json() | more)
        return path


def read_profile(path: Path) -> Profile:
    """A profile from profile.json. Raises InputError for a file that is not a profile, or has another version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != PROFILE_VERSION:
            raise InputError(
                f"{path} has profile version {content['schema_version']}, this fervid reads {PROFILE_VERSION}. "
                "Run `fervid profile` again."
            )
        arc = {name: np.array(values, dtype=float) for name, values in content["arc"].items()}
        n_labels = len(content["labels"])
        return Profile(
            source=Source(**content["source"]),
            labels=tuple(content["labels"]),
            coverage=Coverage(**content["coverage"]),
            expressions=Expressions(**content["expressions"]),
            arc=Arc(**arc | {name: arc[name].reshape(N_BINS, n_labels) for name in ("mean", "share")}),
            transitions=Transitions(**content["transitions"]),
            co_occurrence=CoOccurrence(**content["co_occurrence"]),
            peaks=tuple(Peak(**peak | {"box": tuple(peak["box"])}) for peak in content["peaks"]),
            faces=Faces(**content["faces"]),
            shots=None if content["shots"] is None else Shots(**content["shots"]),
            picture=Picture(**content["picture"]),
            notes=tuple(content["notes"]),
        )
    except FileNotFoundError:
        raise InputError(f"{path} does not exist. Run `fervid profile` on the run first.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError(f"{path} is not a profile ({problem}). Run `fervid profile` again.") from None


def _plain(value: Any) -> Any:
    """Plain values for JSON: dataclasses and arrays expanded, NaN as None."""
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and value != value else value
