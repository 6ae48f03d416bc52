"""From the logits of all heads to the probabilities of the model's labels. Knows nothing of networks or of time.

FER-2013's labels are one word a picture, FER+'s the votes of ten people on the same pictures. A model that learned both
can answer as either, or with the mean of the two.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from fervid.emotion.calibration import softmax
from fervid.emotion.model import FER2013, FERPLUS, Head, ModelInfo
from fervid.errors import ConfigError

LabelSource = Literal["fer2013", "ferplus", "mean"]


def head_columns(model: ModelInfo) -> dict[str, slice]:
    """Which columns of a model's logits belong to each of its heads."""
    columns, first = {}, 0
    for head in model.heads:
        columns[head.name] = slice(first, first + len(head.labels))
        first += len(head.labels)
    return columns


def select_heads(model: ModelInfo, source: LabelSource) -> tuple[Head, ...]:
    """The heads that answer for `source`. Raises ConfigError when the model has no such head."""
    wanted = {"fer2013": (FER2013,), "ferplus": (FERPLUS,), "mean": (FER2013, FERPLUS)}[source]
    named = {head.name: head for head in model.heads}
    missing = [name for name in wanted if name not in named]
    if missing:
        raise ConfigError(
            f"emotion.labels = {source!r} needs a model with a {missing[0]} head, and {model.name} has "
            f"{' and '.join(named)}. Use emotion.labels = 'fer2013', or another model."
        )
    return tuple(named[name] for name in wanted)


def label_probabilities(
    logits: np.ndarray, model: ModelInfo, *, source: LabelSource = "fer2013", is_flipped: bool = False
) -> np.ndarray:
    """Calibrated probabilities (N, C) of `model.labels` from the logits (N, L) of all heads, in their float type.

    Labels that only a head has (FER+'s contempt) are dropped and the rest is scaled to one; `mean` is the mean of both
    heads' probabilities. `is_flipped` says that the logits are means with those of mirrored crops, which have a
    temperature of their own. Raises ConfigError when the model has no head for `source`.
    """
    columns = head_columns(model)
    answers = []
    for head in select_heads(model, source):
        probabilities = softmax(logits[:, columns[head.name]], head.temperature_of(is_flipped=is_flipped))
        if head.labels != model.labels:
            probabilities = probabilities[:, [head.labels.index(label) for label in model.labels]]
            probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        answers.append(probabilities)
    return answers[0] if len(answers) == 1 else (answers[0] + answers[1]) / answers[0].dtype.type(2)


LABEL_SOURCES: tuple[str, ...] = get_args(LabelSource)
