"""A read-out over time: a small linear model from a face's smoothed scores of all heads to the labels, in JSON.

It corrects the network's own answer by an amount that was fitted to labelled videos. Applying it is part of
`fervid.interpret.readout`, fitting it of `fervid.train.fit.readout`. Reads files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fervid.errors import ModelError
from fervid.storage.files import file_sha256

READOUT_JSON = "readout.json"
READOUT_VERSION = 2
# Decision SCO-12.
STRENGTH_WITHOUT_BASELINE = 0.5
"""The share of `over_time` that is applied where the usual look of the face is not known."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to log-probabilities: bias + (scores - usual) @ weights, with `weights` (L, C) and `bias` (C,)."""

    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Readout:
    """log p = log p of the network + `frame` + strength * `over_time`, up to a constant.

    `scores` (L,) are the calibrated and centred logits of all heads, smoothed with `half_life_seconds`; the network's
    own answer is that of the same smoothed logits by `source`. Both corrections are for `labels` (C,). The strength
    grows with the time that a face was seen: a single frame is corrected by `frame` alone. Without a baseline of the
    face it grows to STRENGTH_WITHOUT_BASELINE only.
    """

    weights_sha256: str
    """Of the weights of the model that it was fitted to."""
    source: str
    labels: tuple[str, ...]
    half_life_seconds: float
    usual: tuple[float, ...]
    frame: Correction
    over_time: Correction
    sha256: str = ""
    """Of its file."""


def load_readout(folder: Path) -> Readout | None:
    """The read-out beside a model; None where there is none. Raises ModelError for a damaged file."""
    path = folder / READOUT_JSON
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ModelError(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, f"it is not JSON ({problem})") from None
    version = stored.get("schema_version") if isinstance(stored, dict) else None
    if version != READOUT_VERSION:
        raise _damaged(path, f"it has schema_version {version!r}, expected {READOUT_VERSION}")
    labels, inputs = stored.get("labels"), stored.get("inputs")
    if not _are_texts(labels) or not _are_texts(inputs):
        raise _damaged(path, "labels or inputs are not lists of names")
    texts = {name: stored.get(name) for name in ("weights_sha256", "source")}
    half_life = stored.get("half_life_seconds")
    if not all(isinstance(text, str) for text in texts.values()) or not _are_numbers([half_life], 1) or half_life < 0:
        raise _damaged(path, "weights_sha256, source or half_life_seconds is missing")
    if not _are_numbers(stored.get("usual"), len(inputs)):
        raise _damaged(path, f"usual is not a list of {len(inputs)} numbers")
    return Readout(
        weights_sha256=texts["weights_sha256"],
        source=texts["source"],
        labels=tuple(labels),
        half_life_seconds=float(half_life),
        usual=tuple(map(float, stored["usual"])),
        frame=_correction(path, stored, "frame", len(inputs), len(labels)),
        over_time=_correction(path, stored, "over_time", len(inputs), len(labels)),
        sha256=file_sha256(path),
    )


def _correction(path: Path, stored: dict[str, Any], name: str, n_inputs: int, n_labels: int) -> Correction:
    found = stored.get(name)
    rows, bias = (found.get("weights"), found.get("bias")) if isinstance(found, dict) else (None, None)
    if not isinstance(rows, list) or len(rows) != n_inputs or not all(_are_numbers(row, n_labels) for row in rows):
        raise _damaged(path, f"{name}.weights are not {n_inputs} rows of {n_labels} numbers")
    if not isinstance(bias, list) or not _are_numbers(bias, n_labels):
        raise _damaged(path, f"{name}.bias is not a list of {n_labels} numbers")
    return Correction(tuple(tuple(map(float, row)) for row in rows), tuple(map(float, bias)))


def readout_content(readout: Readout, inputs: Sequence[str]) -> dict[str, Any]:
    """What `readout.json` says of a read-out; `inputs` (L,) are names for its scores."""
    content = asdict(readout)
    content.pop("sha256")
    return {"schema_version": READOUT_VERSION, **content, "inputs": list(inputs)}


def _are_numbers(values: Any, length: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == length
        and all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in values)
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and len(values) > 1 and all(isinstance(one, str) for one in values)


def _damaged(path: Path, fault: str) -> ModelError:
    return ModelError(f"{path}: {fault}. Copy it again, or remove it and fit one with `fervid models readout`.")
