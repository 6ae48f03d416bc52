"""Locations of shipped weights and presets: in the package when installed, two folders up in a checkout."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fervid.errors import ModelError

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parents[1]

DEFAULT_MODEL = "fer2013-res-s"
DEFAULT_AGITATION = "surveillance"


def in_checkout() -> bool:
    """Whether this code runs from a source checkout (where `outputs/` is the default place of results)."""
    return not (_PACKAGE / "_data").is_dir() and (_CHECKOUT / "pyproject.toml").is_file()


def models_folder() -> Path:
    """The folder of the shipped models."""
    return _data("models")


def configs_folder() -> Path:
    """The folder of the shipped presets and training recipes."""
    return _data("configs")


def default_output_folder() -> Path:
    """`outputs/` of the checkout, or `outputs/` in the current folder when fervid is installed."""
    return _CHECKOUT / "outputs" if in_checkout() else Path("outputs")


def shipped_models() -> list[Path]:
    """The folders of the included models, sorted by name."""
    return sorted(path.parent for path in models_folder().glob("*/model.json"))


def model_folder(name_or_path: str) -> Path:
    """A model folder by the name of a shipped model or by its path. Raises ModelError naming what there is."""
    path = Path(name_or_path)
    for candidate in (models_folder() / name_or_path, path):
        if (candidate / "model.json").is_file():
            return candidate
    if path.is_dir():
        raise ModelError(f"{path} has no model.json. Give a folder that `fervid train` wrote.")
    shipped = [folder.name for folder in shipped_models()]
    raise ModelError(
        f"model {name_or_path!r} does not exist. Use {' or '.join([*shipped, 'the path of a model folder'])}."
    )


def agitation_file(name_or_path: str) -> Path:
    """A model of agitation by the name of a shipped one or by its path. Raises ModelError naming what there is."""
    shipped = configs_folder() / "motion"
    for candidate in (shipped / f"{name_or_path}.json", Path(name_or_path)):
        if candidate.is_file():
            return candidate
    names = [*sorted(path.stem for path in shipped.glob("*.json")), "a file of `fervid motion fit`"]
    raise ModelError(f"model of agitation {name_or_path!r} does not exist. Use {' or '.join(names)}.")


def agitation_sha256(name_or_path: str) -> str:
    """The hash of a model of agitation. Raises ModelError where there is none."""
    return hashlib.sha256(agitation_file(name_or_path).read_bytes()).hexdigest()


# Decision PAC-1.
def _data(name: str) -> Path:
    installed = _PACKAGE / "_data" / name
    return installed if installed.is_dir() else _CHECKOUT / name
