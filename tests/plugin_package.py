"""Packages with plug-ins, as an installer leaves them in a folder."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, *, entry_points: str, version: str = "1.0") -> None:
    """What an installer leaves of a package whose modules lie in `folder`."""
    about = folder / f"my_faces-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-faces\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(entry_points)
