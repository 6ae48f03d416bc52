"""The base of a built-in detector's options: a section of the settings. Knows no detector."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class DetectorOptions(BaseModel):
    """Options of one detector, under `detect.NAME` in the settings. The docstring's first line says what it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def results_depend_on(self) -> dict[str, Any]:
        """What results depend on: the options, files by their content and never by their path."""
        return self.model_dump(mode="json")
