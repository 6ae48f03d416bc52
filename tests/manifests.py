"""Manifests of runs with other values, sealed as fervid seals them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fervid.run.files import MANIFEST
from fervid.run.manifest import seal


def change_manifest(folder: Path, **values: Any) -> None:
    """Give the manifest of a run other values, and the hash of its own that goes with them."""
    path = folder / MANIFEST
    path.write_text(json.dumps(seal(json.loads(path.read_text()) | values)))
