"""Plug-in classifiers as models: found by entry point, checked, called. Knows nothing of networks.

The process that only hands out work reads a model through here, so NumPy is imported where it is used. A package
registers, in the group `fervid.classifiers`, a callable without arguments that gives an object with
`labels`, `input_side_px`, `version` and `predict`; `docs/plugins.md` shows one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fervid.base import assets
from fervid.base.registry import CLASSIFIER_PLUGINS, load_plugin, origin, plugin_code, plugins
from fervid.emotion.model import FER2013, Head, ModelInfo, load_model_info
from fervid.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

KIND = "classifier"
LABEL = r"[a-z][a-z0-9_]{0,30}"
SIDES_PX = range(8, 1025)


class ExternalClassifier(Protocol):
    """The interface of a plug-in classifier."""

    labels: Sequence[str]
    """Names of the expressions, in the order of the logits: small letters, digits and underscores."""

    input_side_px: int
    """Side of the square gray crops that it takes."""

    version: str
    """Must change when the results do: results of other versions are not reused."""

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, S, S), 0 black to 255 white -> logits float32 (N, C). N may be 0. A softmax makes probabilities."""
        ...


def find_model(name_or_path: str) -> ModelInfo:
    """A model by the name of a shipped one, the path of a folder, or the name of a plug-in.

    Raises ModelError naming what there is, or what is wrong with it; DependencyMissing when a plug-in cannot be loaded.
    """
    try:
        folder = assets.model_folder(name_or_path)
    except ModelError as problem:
        brought = plugins(CLASSIFIER_PLUGINS)
        if name_or_path in brought:
            return _info(name_or_path, *_make(name_or_path))
        if not brought:
            raise
        raise ModelError(f"{problem} Plug-ins: {', '.join(sorted(brought))}.") from None
    return load_model_info(folder)


# Decision CLU-3.
class PluginClassifier:
    """Calls a plug-in classifier, and checks its output. Constructed like every runner."""

    def __init__(self, info: ModelInfo, *, batch_size: int = 64) -> None:
        self._info, self._batch_size = info, batch_size
        self._classifier, self._entry = _make(info.plugin)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """uint8 (N, S, S) full range -> logits float32 (N, C). Raises ModelError when something else comes back."""
        import numpy as np

        parts = [np.zeros((0, self._info.n_logits), np.float32)]
        for first in range(0, len(crops), self._batch_size):
            part = crops[first : first + self._batch_size]
            with plugin_code(self._entry, kind=KIND):
                logits = np.asarray(self._classifier.predict(part), np.float32)
            if logits.shape != (len(part), self._info.n_logits) or not np.isfinite(logits).all():
                raise ModelError(
                    f"classifier {self._info.name!r} returned {logits.shape} for {len(part)} faces, expected finite "
                    f"logits of shape ({len(part)}, {self._info.n_logits}). Report it to its author."
                )
            parts.append(logits)
        return np.concatenate(parts)


def _make(name: str) -> tuple[ExternalClassifier, EntryPoint]:
    entry = plugins(CLASSIFIER_PLUGINS).get(name)
    if entry is None:
        raise ModelError(f"classifier {name!r} is not installed here. Install its package.")
    make = load_plugin(entry, kind=KIND)
    with plugin_code(entry, kind=KIND):
        made: ExternalClassifier = make()
    missing = [what for what in ("labels", "input_side_px", "version", "predict") if not hasattr(made, what)]
    if missing:
        raise ModelError(f"classifier {name!r} of {origin(entry)} has no {missing[0]}. See docs/plugins.md.")
    return made, entry


def _info(name: str, made: ExternalClassifier, entry: EntryPoint) -> ModelInfo:
    with plugin_code(entry, kind=KIND):
        labels, side = tuple(made.labels), made.input_side_px
    poor: Any = next((label for label in labels if not re.fullmatch(LABEL, str(label))), None)
    if poor is not None or len(set(labels)) != len(labels) or len(labels) < 2:
        raise ModelError(
            f"classifier {name!r} has the labels {list(labels)}. Expected two or more different names in small letters."
        )
    if side not in SIDES_PX:
        raise ModelError(
            f"classifier {name!r} takes crops of {side!r} px. Expected a whole number of {SIDES_PX.start} to "
            f"{SIDES_PX.stop - 1}."
        )
    identity = hashlib.sha256(f"{name} {made.version}".encode()).hexdigest()
    return ModelInfo(
        name=name,
        heads=(Head(FER2013, labels, 1.0, 1.0),),
        members=(),
        input_side_px=side,
        weights_sha256=identity,
        tflite_sha256="",
        training_data="",
        licence="",
        folder=Path(),
        plugin=name,
    )
