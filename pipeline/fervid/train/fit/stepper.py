"""One optimisation step, compiled, with averaged weights. Knows nothing of epochs, files or schedules.

This module has what the backends share; `stepper_tensorflow` and `stepper_jax` implement the step itself.
"""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fervid.emotion.crops import as_network_input
from fervid.train.fit.objective import make_optimizer
from fervid.train.fit.recipe import Recipe

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
INFERENCE_BATCH = 256


# Decisions TRA-3, TRA-4.
class Stepper(ABC):
    """A network in training: its variables, its optimiser, and an exponential moving average (EMA) of its state.

    The average covers the batch-norm statistics too, as in timm's ModelEma; at the end of a cosine schedule they are
    those of the averaged weights. It lives in a second network, which computes in float32 whatever the recipe's
    precision. A state saved on one backend can be restored on another.
    """

    def __init__(
        self,
        build: Callable[[], Any],
        recipe: Recipe,
        data: dict[str, np.ndarray],
        teachers: Sequence[Any] = (),
    ) -> None:
        """`build` makes the network, one- or two-headed; `data` are `training_arrays`; a step names the rows it takes.

        `teachers` are networks whose mean logits on the faces of each step serve as the recipe's `[distil]` targets.
        """
        from keras import ops

        with _computing_in(POLICIES[recipe.precision]):
            self.model = build()
        self.averaged_model = build()
        self.optimizer = make_optimizer(recipe)
        self.optimizer.build(self.model.trainable_variables)
        self._averaged, self._averages = _floats(self.model), _floats(self.averaged_model)
        for average, variable in zip(self._averages, self._averaged, strict=True):
            average.assign(variable.value)
        self._recipe = recipe
        self._teachers = tuple(teachers)
        self._data = {key: ops.convert_to_tensor(array) for key, array in data.items()}
        self._n_classes = len(data["class_weights"])

    def train(
        self, rows: np.ndarray, views: dict[str, np.ndarray], *, step: int, learning_rate: float
    ) -> tuple[Any, Any]:
        """One step on the images at `rows` int (n,), seen through `views`.

        Returns mean loss and accuracy as scalars of the backend: reading them waits for the device.
        """
        decay = min(self._recipe.ema_decay, (1 + step) / (10 + step))
        return self._step(rows, views, np.float32(decay), np.float32(learning_rate))

    @abstractmethod
    def _step(self, rows: np.ndarray, views: dict[str, np.ndarray], decay: Any, rate: Any) -> tuple[Any, Any]: ...

    @abstractmethod
    def _infer(self, faces: np.ndarray) -> Any:
        """Logits of the averaged network for float32 (n, S, S, 1)."""

    def _publish(self) -> None:  # noqa: B027
        """Bring the Keras variables up to date, for backends that store the state elsewhere."""

    def _collect(self) -> None:  # noqa: B027
        """Load the state from the Keras variables."""

    def averaged_logits(self, images: np.ndarray) -> np.ndarray:
        """Logits float32 (N, C) of the averaged network for uint8 images (N, S, S), all heads side by side."""
        self._publish()
        return infer_logits(self._infer, images)

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to resume exactly, on any backend."""
        self._publish()
        return {key: to_array(variable) for key, variable in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Restore a state that `state` returned for the same recipe."""
        for key, variable in self._variables().items():
            variable.assign(state[key])
        self._collect()

    def _variables(self) -> dict[str, Any]:
        groups = {"model": self.model.variables, "optimizer": self.optimizer.variables, "average": self._averages}
        return {f"{group}/{i}": v for group, variables in groups.items() for i, v in enumerate(variables)}


def make_stepper(
    build: Callable[[], Any], recipe: Recipe, data: dict[str, np.ndarray], teachers: Sequence[Any] = ()
) -> Stepper:
    """The stepper for the backend that Keras runs on, TensorFlow or JAX; see `Stepper` for the arguments."""
    import keras

    if keras.backend.backend() == "jax":
        from fervid.train.fit.stepper_jax import JaxStepper

        return JaxStepper(build, recipe, data, teachers)
    from fervid.train.fit.stepper_tensorflow import TensorflowStepper

    return TensorflowStepper(build, recipe, data, teachers)


def infer_logits(infer: Any, images: np.ndarray, batch_size: int = INFERENCE_BATCH) -> np.ndarray:
    """Logits float32 (N, C) for uint8 images (N, S, S), through `infer` (float32 (n, S, S, 1) in 0..1 -> logits)."""
    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    return np.concatenate([np.asarray(infer(as_network_input(b))) for b in batches])


def to_array(variable: Any) -> np.ndarray:
    """A copy of a Keras variable. NumPy 2 warns when it converts some backends' variables by itself."""
    from keras import ops

    return np.array(ops.convert_to_numpy(variable.value))


def _floats(model: Any) -> list[Any]:
    """The variables that can be averaged: all but the states of random generators."""
    return [v for v in model.variables if "float" in str(v.dtype)]


@contextlib.contextmanager
def _computing_in(policy: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
