"""Model folders: `model.json` with the weights it describes. Knows nothing of how a network is built or run.

    FOLDER/model.json         what is in this module's ModelInfo, and how the model was made
    FOLDER/model.weights.h5   Keras weights, for GPUs and further training
    FOLDER/model.tflite       the same network for CPUs: float32 (N, S, S, 1) in 0..1 -> logits (N, C)

The logits of all heads are side by side, in the order of `ModelInfo.heads`. Nothing heavier than the standard library
is imported here: every analysis passes through here before its first frame.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fervid.emotion.readout import READOUT_JSON, Readout, load_readout
from fervid.errors import ModelError, OutputError
from fervid.storage.files import file_sha256
from fervid.storage.publish import write_whole

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
MODEL_JSON = "model.json"
WEIGHTS = "model.weights.h5"
TFLITE = "model.tflite"
FER2013, FERPLUS = "fer2013", "ferplus"
FERPLUS_EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The options of the FER+ voters, in the order of the votes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Head:
    """One labelling that a model learned: its labels in the order of its logits, and what divides those.

    `temperature` was fitted to logits of single crops, `flip_temperature` to their mean with the mirrored crop's.
    """

    name: str
    labels: tuple[str, ...]
    temperature: float
    flip_temperature: float
    mean_logits: tuple[float, ...] = ()
    """Mean logits of single crops over the faces of PublicTest: its average response to people. Empty: unknown."""

    def temperature_of(self, *, is_flipped: bool) -> float:
        """The temperature of logits that are, or are not, means with those of the mirrored crop."""
        return self.flip_temperature if is_flipped else self.temperature


@dataclass(frozen=True, slots=True)
class Member:
    """One network of a model and the heads it has. `mean` and `std` are of inputs in 0..1."""

    network: str
    heads: tuple[str, ...]
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The description of a classifier for analysis. The first head is FER-2013's; its labels are those of every result.

    A model of several members is an ensemble: the logits of each head are the mean over the members that have it.
    """

    name: str
    heads: tuple[Head, ...]
    members: tuple[Member, ...]
    input_side_px: int
    weights_sha256: str
    tflite_sha256: str
    training_data: str
    licence: str
    folder: Path
    plugin: str = ""
    """The name of the plug-in, if it is one instead of a model folder."""
    readout: Readout | None = None
    """The read-out over time that was fitted to it, if there is one beside it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the first head, in the order of its logits."""
        return self.heads[0].labels

    @property
    def temperature(self) -> float:
        """The first head's temperature for logits of single crops."""
        return self.heads[0].temperature

    @property
    def network(self) -> str:
        """The names of the members' networks, joined with a plus."""
        return "+".join(member.network for member in self.members)

    @property
    def n_logits(self) -> int:
        """Number of logits per face, over all heads."""
        return sum(len(head.labels) for head in self.heads)


def load_model_info(folder: Path) -> ModelInfo:
    """Read `model.json` of a model folder and check that its files are the ones it was written for.

    Raises ModelError when a file is missing, changed, or not of this schema.
    """
    folder = Path(folder)
    stored = read_model_json(folder)
    path = folder / MODEL_JSON
    info = ModelInfo(
        name=_entry(path, stored, "name", str),
        heads=tuple(_head(path, entry) for entry in _parts(path, stored, "heads")),
        members=tuple(_member(path, entry) for entry in _parts(path, stored, "members")),
        input_side_px=_entry(path, stored, "input_side_px", int),
        weights_sha256=_entry(path, stored, "weights_sha256", str),
        tflite_sha256=_entry(path, stored, "tflite_sha256", str),
        training_data=_entry(path, stored, "training_data", str),
        licence=_entry(path, stored, "licence", str),
        folder=folder,
        readout=load_readout(folder),
    )
    _check_heads(path, info)
    _check_readout(info)
    for name, expected in ((WEIGHTS, info.weights_sha256), (TFLITE, info.tflite_sha256)):
        _check_file(folder / name, expected)
    return info


def read_model_json(folder: Path) -> dict[str, Any]:
    """The whole of `model.json`; one of an older schema version as it would be written today. Raises ModelError."""
    path = Path(folder) / MODEL_JSON
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{folder} has no {MODEL_JSON}. Give a folder that `fervid train` wrote.") from None
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    except (ValueError, RecursionError) as problem:  # broken JSON, or bytes that are not text
        raise ModelError(f"{path} is not JSON ({problem}). Copy or export the model again.") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if version not in READABLE_VERSIONS:
        raise ModelError(
            f"{path} has schema_version {version!r}, expected {' or '.join(map(str, READABLE_VERSIONS))}. "
            "Use a model of this version of fervid."
        )
    return _upgraded(stored) if version == 1 else dict(stored)


def stored_metrics(content: dict[str, Any], split: str, head: str = FER2013, tta: str = "none") -> dict[str, Any]:
    """The numbers of one split, head and kind of views from the content of a `model.json`; empty where not measured."""
    found: dict[str, Any] = content.get("metrics", {}).get(split, {}).get(head, {}).get(tta, {})
    return found


def _upgraded(stored: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had one head and one network, their entries at the top, and numbers of single crops alone."""
    moved = ("labels", "temperature", "mean", "std")
    content = {key: value for key, value in stored.items() if key not in moved}
    labels, temperature, mean, std = (stored.get(key) for key in moved)
    head = {"name": FER2013, "labels": labels, "temperature": temperature, "flip_temperature": temperature}
    member = {"network": stored.get("network"), "heads": [FER2013], "mean": mean, "std": std}
    metrics = {split: {FER2013: {"none": numbers}} for split, numbers in stored.get("metrics", {}).items()}
    return content | {"schema_version": SCHEMA_VERSION, "heads": [head], "members": [member], "metrics": metrics}


def _head(path: Path, entry: dict[str, Any]) -> Head:
    labels = _entry(path, entry, "labels", list)
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < max(2, len(labels)):
        raise ModelError(f"{path}: labels {labels!r} are not two or more different names. Export the model again.")
    return Head(
        name=_entry(path, entry, "name", str),
        labels=tuple(labels),
        temperature=_positive(path, entry, "temperature"),
        flip_temperature=_positive(path, entry, "flip_temperature"),
        mean_logits=_mean_logits(path, entry, len(labels)),
    )


def _mean_logits(path: Path, entry: dict[str, Any], n: int) -> tuple[float, ...]:
    """Models of earlier versions do not state them."""
    found = entry.get("mean_logits", [])
    if not isinstance(found, list) or len(found) not in (0, n) or not all(_is_finite(value) for value in found):
        raise ModelError(f"{path}: mean_logits is {found!r}, expected {n} numbers. Copy or export the model again.")
    return tuple(map(float, found))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _member(path: Path, entry: dict[str, Any]) -> Member:
    return Member(
        network=_entry(path, entry, "network", str),
        heads=tuple(map(str, _entry(path, entry, "heads", list))),
        mean=_positive(path, entry, "mean"),
        std=_positive(path, entry, "std"),
    )


def _check_heads(path: Path, info: ModelInfo) -> None:
    """Every head has its own name, the labels of the first one among its labels, and a member that computes it."""
    names = [head.name for head in info.heads]
    if names[0] != FER2013 or len(set(names)) < len(names):
        raise ModelError(f"{path}: heads {names!r}, expected different ones and {FER2013!r} first.")
    for head in info.heads[1:]:
        missing = [label for label in info.labels if label not in head.labels]
        if missing:
            raise ModelError(f"{path}: head {head.name} has no label {missing[0]!r}. Export the model again.")
    found = {name for member in info.members for name in member.heads}
    if found != set(names) or any(FER2013 not in member.heads for member in info.members):
        raise ModelError(
            f"{path}: members have the heads {sorted(found)!r}, expected {sorted(names)!r} and {FER2013!r} in each."
        )


def _check_readout(info: ModelInfo) -> None:
    """The read-out belongs to these weights and labels."""
    readout = info.readout
    if readout is None:
        return
    found = (readout.weights_sha256, readout.labels, len(readout.usual))
    if found != (info.weights_sha256, info.labels, info.n_logits):
        raise ModelError(
            f"{info.folder / READOUT_JSON} was fitted to another model (weights {readout.weights_sha256[:12]}, "
            f"expected {info.weights_sha256[:12]}). Remove it, or fit one with `fervid models readout`."
        )


def write_model_json(folder: Path, content: dict[str, Any]) -> None:
    """Write `model.json` in one step: a reader sees the old file or the new one. Raises OutputError."""
    path = Path(folder) / MODEL_JSON
    try:
        write_whole(path, (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Choose a writable folder.") from None


def _check_file(path: Path, expected: str) -> None:
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing. Copy the whole model folder again.") from None
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    if found != expected:
        raise ModelError(
            f"{path} is not the file that {MODEL_JSON} describes (sha256 {found[:12]}, expected {expected[:12]}). "
            "Copy the whole model folder again."
        )


def _parts(path: Path, stored: dict[str, Any], key: str) -> list[dict[str, Any]]:
    parts = _entry(path, stored, key, list)
    if not parts or not all(isinstance(part, dict) for part in parts):
        raise ModelError(f"{path}: {key} is {parts!r}, expected one or more objects. Copy or export the model again.")
    return parts


def _entry(path: Path, stored: dict[str, Any], key: str, kind: type[T]) -> T:
    value = stored.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ModelError(f"{path}: {key} is {value!r}, expected a {kind.__name__}. Copy or export the model again.")
    return value


def _positive(path: Path, stored: dict[str, Any], key: str) -> float:
    value = stored.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ModelError(f"{path}: {key} is {value!r}, expected a number above 0. Copy or export the model again.")
    return float(value)
