"""The training step in TensorFlow: a gradient tape in one compiled function. See `stepper` for its interface."""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.train.fit.objective import TAUGHT, batch_losses, mean_logits, take_batch
from fervid.train.fit.stepper import Stepper


class TensorflowStepper(Stepper):
    """Trains the Keras variables in place."""

    def __init__(self, *arguments: Any) -> None:
        import tensorflow as tf

        super().__init__(*arguments)
        self._compiled = tf.function(self._traced, reduce_retracing=True)
        self._inferring = tf.function(lambda faces: self.averaged_model(faces, training=False), reduce_retracing=True)

    def _step(self, rows: np.ndarray, views: dict[str, np.ndarray], decay: Any, rate: Any) -> tuple[Any, Any]:
        self.optimizer.learning_rate.assign(rate)
        loss, accuracy = self._compiled(rows, views, decay)
        return loss, accuracy

    def _traced(self, rows: Any, views: dict[str, Any], decay: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        batch = take_batch(self._data, rows, views)
        taught = views.get(TAUGHT)
        if self._teachers:
            taught = mean_logits([t(batch.faces, training=False) for t in self._teachers], self._n_classes)
        with tf.GradientTape() as tape:
            outputs = self.model(batch.faces, training=True)
            losses = batch_losses(outputs, batch, self._data, self._recipe, taught)
        gradients = tape.gradient(losses.total, self.model.trainable_variables)
        self.optimizer.apply(gradients, self.model.trainable_variables)
        for average, value in zip(self._averages, self._averaged, strict=True):
            average.assign(decay * average + (1 - decay) * value)
        return losses.emotion, losses.accuracy

    def _infer(self, faces: np.ndarray) -> Any:
        return self._inferring(faces)
