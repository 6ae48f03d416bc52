"""The training step in JAX: a pure function of the whole state, compiled. See `stepper` for its interface.

The states of the dropout layers' random generators are non-trainable variables and part of the state; otherwise
every step would drop the same units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.train.fit.objective import TAUGHT, batch_losses, mean_logits, take_batch
from fervid.train.fit.stepper import INFERENCE_BATCH, Stepper

State = dict[str, list[Any]]


class JaxStepper(Stepper):
    """Keeps the state in arrays that each step replaces; the Keras variables are updated on demand."""

    def __init__(self, *arguments: Any) -> None:
        import jax

        super().__init__(*arguments)
        optimizer = self.optimizer.variables
        self._rate_at = next(i for i, v in enumerate(optimizer) if v is self.optimizer.learning_rate)
        places = {
            id(v): (group, i)
            for group, variables in self._groups().items()
            if group in ("trainable", "fixed")
            for i, v in enumerate(variables)
        }
        self._averaged_at = [places[id(v)] for v in self._averaged]
        # Passed as an argument: as closure variables, the compiler would fold these large arrays as constants.
        self._given = {"data": self._data, "teachers": [_values(teacher) for teacher in self._teachers]}
        self._compiled = jax.jit(self._traced, donate_argnums=0)
        self._inferring = jax.jit(lambda values, faces: _call(self.averaged_model, values, faces))
        self._collect()

    def _groups(self) -> dict[str, list[Any]]:
        return {
            "trainable": self.model.trainable_variables,
            "fixed": self.model.non_trainable_variables,
            "optimizer": self.optimizer.variables,
            "average": self._averages,
        }

    def _collect(self) -> None:
        import jax.numpy as jnp

        # Copies, because the step donates the memory of its input state to the returned one.
        self._state: State = {g: [jnp.copy(v.value) for v in variables] for g, variables in self._groups().items()}

    def _publish(self) -> None:
        import jax.numpy as jnp

        for group, variables in self._groups().items():
            for variable, value in zip(variables, self._state[group], strict=True):
                variable.assign(jnp.copy(value))

    def _step(self, rows: np.ndarray, views: dict[str, np.ndarray], decay: Any, rate: Any) -> tuple[Any, Any]:
        self._state, loss, accuracy = self._compiled(
            self._state, self._given, rows.astype(np.int32), views, decay, rate
        )
        return loss, accuracy

    def _traced(
        self, state: State, given: dict[str, Any], rows: Any, views: dict[str, Any], decay: Any, rate: Any
    ) -> tuple[State, Any, Any]:
        import jax

        data = given["data"]
        batch = take_batch(data, rows, views)
        taught = views.get(TAUGHT)
        if self._teachers:
            outputs = [_call(t, v, batch.faces) for t, v in zip(self._teachers, given["teachers"], strict=True)]
            taught = mean_logits(outputs, self._n_classes)

        def objective(trainable: list[Any]) -> tuple[Any, tuple[Any, ...]]:
            outputs, fixed = self.model.stateless_call(trainable, state["fixed"], batch.faces, training=True)
            losses = batch_losses(outputs, batch, data, self._recipe, taught)
            return losses.total, (fixed, losses.emotion, losses.accuracy)

        gradients, (fixed, loss, accuracy) = jax.grad(objective, has_aux=True)(state["trainable"])
        optimizer = [*state["optimizer"]]
        optimizer[self._rate_at] = rate
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, state["trainable"])
        new: State = {"trainable": trainable, "fixed": fixed, "optimizer": optimizer}
        values = [new[group][i] for group, i in self._averaged_at]
        new["average"] = [decay * a + (1 - decay) * v for a, v in zip(state["average"], values, strict=True)]
        return new, loss, accuracy

    def _infer(self, faces: np.ndarray) -> Any:
        # One shape for all batches, so that nothing is compiled twice.
        padded = np.pad(faces, [(0, INFERENCE_BATCH - len(faces)), (0, 0), (0, 0), (0, 0)])
        return self._inferring(_values(self.averaged_model), padded)[: len(faces)]


def _values(model: Any) -> tuple[list[Any], list[Any]]:
    return [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]


def _call(model: Any, values: tuple[list[Any], list[Any]], faces: Any) -> Any:
    return model.stateless_call(*values, faces, training=False)[0]
