"""The base of a built-in detector's options: a section of the settings. Knows no detector."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class DetectorOptions(BaseModel):
    """Options of one detector, under `detect.NAME` in the settings. The docstring's first line says what it is."""

    confirm_score: ClassVar[float] = 0.0
    """A track whose best score stays below is taken for a false one, unless `track.min_best_score` says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def results_depend_on(self) -> dict[str, Any]:
        """What results depend on: the options, a file of weights (`model_path`) by its content, never by its path."""
        content = self.model_dump(mode="json")
        path = content.get("model_path")
        if path and Path(path).is_file():
            content["model_path"] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        return content
