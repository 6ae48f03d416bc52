"""What is installed on demand: the extras of the package, and the one sentence about one that is missing."""

from __future__ import annotations

from typing import Literal

from fervid.errors import DependencyMissing

Extra = Literal["gcs", "genres", "gpu", "jax", "query", "ray", "s3", "train", "tune", "web"]
"""The extras that a message can ask for, by their names in pyproject.toml."""


def install_line(extra: Extra) -> str:
    """The command that installs an extra, as people type it."""
    return f"pip install 'fervid[{extra}]'"


def missing(purpose: str, library: str, extra: Extra, problem: object = None) -> DependencyMissing:
    """The error about a purpose that needs a library; `problem` says why it cannot be imported where it is installed.

    Such a library may be there and broken, so that only the reason tells what to do.
    """
    reason = "is not installed" if problem is None or _is_absent(problem) else f"cannot be imported ({problem})"
    return DependencyMissing(f"{purpose} needs {library}, which {reason}. Run `{install_line(extra)}`.")


def _is_absent(problem: object) -> bool:
    return isinstance(problem, ModuleNotFoundError)
