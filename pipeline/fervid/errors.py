"""The errors that fervid raises on purpose; anything else that escapes is a bug.

    FervidError                  exit  meaning
    |-- ConfigError                 2  a setting, option or preset is unknown or out of range
    |-- InputError                  3  this input cannot be analysed
    |   |-- VideoNotFound              no such file, or no file that matches
    |   |-- VideoUnreadable            the container cannot be opened, or is not one that fervid opens
    |   |-- NoVideoStream              opened, but there is nothing to look at
    |   |-- TooDamaged                 opened, but no frame can be decoded
    |   `-- WrittenShort               what was written of a video lacks frames that were analysed
    |-- DatasetError                3  a training set is not what it should be
    |-- ModelError                 78  a model folder is missing, corrupt or foreign
    |-- DependencyMissing          78  a library, or a system package below it, is not installed
    |-- PluginError                78  code of another package, used as a plug-in, failed
    `-- OutputError                74  a result cannot be written
        |-- OutputInUse            75  another run is writing there now
        `-- NotDelivered           75  a message waits, because its receiver did not take it

A message says what failed, the value received, what was expected and the next step, in at most two sentences.
"""

from __future__ import annotations

from typing import Literal


class FervidError(Exception):
    """Base of every error that fervid raises on purpose."""

    exit_code = 70


class ConfigError(FervidError):
    """A setting is unknown or out of range."""

    exit_code = 2


class InputError(FervidError):
    """This input cannot be analysed; others may."""

    exit_code = 3


class VideoNotFound(InputError):
    """The video does not exist."""


class VideoUnreadable(InputError):
    """The file is not a video that can be opened safely."""


class NoVideoStream(InputError):
    """The file opens, but has no video stream."""


class TooDamaged(InputError):
    """The file opens, but no frame of it can be decoded."""


class WrittenShort(InputError):
    """A clip was written, but frames that were analysed could not be read again."""


class DatasetError(FervidError):
    """A training set is incomplete, or is not laid out as expected."""

    exit_code = 3


class ModelError(FervidError):
    """A model folder is missing, incomplete, corrupt or foreign."""

    exit_code = 78


class DependencyMissing(FervidError):
    """A Python library or a system package is not installed."""

    exit_code = 78


class PluginError(FervidError):
    """Code that another package brought as a plug-in raised an error, or returned what it must not."""

    exit_code = 78


class OutputError(FervidError):
    """A result could not be written."""

    exit_code = 74


class OutputInUse(OutputError):
    """Another run writes to the same place at this moment; the same command works later."""

    exit_code = 75


class NotDelivered(OutputError):
    """A message did not reach its receiver and waits on disk; the same command tries again."""

    exit_code = 75


Extra = Literal["gcs", "genres", "gpu", "jax", "query", "ray", "s3", "train", "tune", "web"]
"""The extras that a message can ask for, by their names in pyproject.toml."""


def install_line(extra: Extra) -> str:
    """The command that installs an extra, as people type it: from where fervid itself was installed."""
    return f"pip install '{_origin()}[{extra}]'"


def _origin() -> str:
    """The folder or file that fervid was installed from, by the note that installers leave (PEP 610), or its name."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from pathlib import Path
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        address = str(json.loads(distribution("fervid").read_text("direct_url.json") or "{}").get("url", ""))
    except (PackageNotFoundError, ValueError, AttributeError):
        return "fervid"
    path = url2pathname(urlsplit(address).path)
    return path if address.startswith("file:") and Path(path).exists() else "fervid"


def missing(purpose: str, library: str, extra: Extra, problem: object = None) -> DependencyMissing:
    """The error about a purpose that needs a library; `problem` says why it cannot be imported where it is installed.

    Such a library may be there and broken, so that only the reason tells what to do.
    """
    reason = "is not installed" if problem is None or _is_absent(problem) else f"cannot be imported ({problem})"
    return DependencyMissing(f"{purpose} needs {library}, which {reason}. Run `{install_line(extra)}`.")


def _is_absent(problem: object) -> bool:
    return isinstance(problem, ModuleNotFoundError)
