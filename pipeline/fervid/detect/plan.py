"""The savings of the face search, and counters of its work. Knows nothing of images."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """When to search. Seconds are seconds of video; 0 disables a saving."""

    full_search_seconds: float = 0.4
    octave_shares: tuple[float, ...] = (1.0, 0.6, 0.2)
    quiet_factor: float = 2.0
    keep_lost_seconds: float = 2.0
    close_first: bool = True
    still_level: float = 8.0
    still_seconds: float = 8.0
    new_shot_threshold: float = 0.3

    @classmethod
    def of(cls, settings: object) -> SearchPlan:
        """The plan that settings with attributes of the same names describe."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(cls)})


@dataclass(slots=True)
class SearchWork:
    """What the search did: counts that depend on the video and the settings alone, never on the machine."""

    frames: int = 0
    still_frames: int = 0
    """Frames in which nothing was searched: their boxes are those of the frame before."""
    cuts: int = 0
    full_searches: int = 0
    """Searches of a whole image, for one octave of face sizes or for all sizes at once."""
    part_searches: int = 0
    """Searches of what changed in an image, for one octave of face sizes."""
    region_searches: int = 0
    """Searches around a known face or a candidate."""
    taken_over: int = 0
    """Regions that did not change, so that what was found there before was taken over."""
    pixels: int = 0
    """Pixels of all images that were given to the detector, less those that were hidden from it."""
    faces: int = 0

    def add(self, other: SearchWork) -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
