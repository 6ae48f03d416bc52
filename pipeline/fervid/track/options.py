"""The base of a tracker's options: a section of the settings. Knows no tracker."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class TrackerOptions(BaseModel):
    """Options of one tracker, under `track.NAME` in the settings. The docstring's first line says what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
