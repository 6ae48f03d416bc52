"""One optimisation step, compiled, with averaged weights. Knows nothing of epochs, files or schedules."""

from __future__ import annotations

from typing import Any

import numpy as np

from fervid.emotion.crops import as_network_input
from fervid.errors import ConfigError
from fervid.train.augment import apply_views
from fervid.train.ferplus import vote_targets
from fervid.train.objective import class_weights, make_optimizer
from fervid.train.recipe import Recipe


class Stepper:
    """A network in training: its variables, its optimiser, and an exponential moving average (EMA) of its state.

    The average covers the batch-norm statistics too, as in timm's ModelEma; at the end of a cosine schedule they are
    those of the averaged weights. Runs on Keras's TensorFlow backend.
    """

    def __init__(
        self, model: Any, recipe: Recipe, images: np.ndarray, labels: np.ndarray, votes: np.ndarray | None = None
    ) -> None:
        """`images` uint8 (N, S, S) and `labels` int (N,) stay on the device; a step names the rows it takes.

        With `votes` float32 (N, 10) and the recipe's `ferplus_weight`, a second head learns the FER+ votes from the
        same features. It shapes them in training and is no part of `model`.
        """
        import keras
        import tensorflow as tf

        self.model = model
        self._trained = model
        self._votes: tuple[Any, Any] | None = None
        if recipe.ferplus_weight and votes is not None:
            targets, weights = vote_targets(votes)
            self._votes = tf.constant(targets), tf.constant(weights)
            if "dropout" not in [layer.name for layer in model.layers]:
                raise ConfigError(f"network {model.name} has no features to hang a second head on.")
            head = keras.layers.Dense(targets.shape[1], dtype="float32", name="ferplus_logits")
            self._trained = keras.Model(model.input, [model.output, head(model.get_layer("dropout").output)])
        self.optimizer = make_optimizer(recipe)
        self.optimizer.build(self._trained.trainable_variables)
        self._averaged = [v for v in self._trained.variables if "float" in str(v.dtype)]
        self._averages = [tf.Variable(v.value, trainable=False) for v in self._averaged]
        self._images, self._labels = tf.constant(images), tf.constant(labels)
        self._recipe = recipe
        self._n_classes = int(model.output_shape[-1])
        self._class_weights = tf.constant(class_weights(labels, self._n_classes, recipe.class_weight))
        self._train = tf.function(self._train_step, reduce_retracing=True)
        self._infer = tf.function(lambda faces: model(faces, training=False), reduce_retracing=True)

    def train(
        self, rows: np.ndarray, views: dict[str, np.ndarray], *, step: int, learning_rate: float
    ) -> tuple[float, float]:
        """One step on the images at `rows` int (n,), seen through `views`. Returns mean loss and accuracy."""
        self.optimizer.learning_rate.assign(learning_rate)
        decay = min(self._recipe.ema_decay, (1 + step) / (10 + step))
        loss, accuracy = self._train(rows, views, np.float32(decay))
        return float(loss), float(accuracy)

    def _train_step(self, rows: Any, views: dict[str, Any], decay: Any) -> tuple[Any, Any]:
        import keras
        import tensorflow as tf

        faces = apply_views(tf.cast(tf.gather(self._images, rows), tf.float32) / 255.0, views)[..., None]
        targets = tf.gather(self._labels, rows)
        shares = tf.one_hot(targets, self._n_classes)
        votes = None if self._votes is None else [tf.gather(part, rows) for part in self._votes]
        if "partner" in views:
            own = views["share"][:, None]

            def mixed(values: Any, own: Any = own) -> Any:
                return own * values + (1 - own) * tf.gather(values, views["partner"])

            faces = mixed(faces, own[:, :, None, None])
            shares = mixed(shares)
            if votes is not None:
                target_votes, weights = mixed(votes[0] * votes[1][:, None]), mixed(votes[1][:, None])[:, 0]
                votes = [tf.math.divide_no_nan(target_votes, weights[:, None]), weights]
        with tf.GradientTape() as tape:
            outputs = self._trained(faces, training=True)
            logits, vote_logits = (outputs, None) if self._votes is None else outputs
            losses = keras.losses.categorical_crossentropy(
                shares, logits, from_logits=True, label_smoothing=self._recipe.label_smoothing
            )
            loss = tf.reduce_mean(losses * tf.linalg.matvec(shares, self._class_weights))
            objective = loss
            if votes is not None:
                vote_losses = tf.nn.softmax_cross_entropy_with_logits(votes[0], vote_logits)
                objective += self._recipe.ferplus_weight * tf.reduce_mean(votes[1] * vote_losses)
        gradients = tape.gradient(objective, self._trained.trainable_variables)
        self.optimizer.apply(gradients, self._trained.trainable_variables)
        for average, value in zip(self._averages, self._averaged, strict=True):
            average.assign(decay * average + (1 - decay) * value)
        hits = tf.cast(tf.argmax(logits, axis=1), targets.dtype) == targets
        return loss, tf.reduce_mean(tf.cast(hits, tf.float32))

    def averaged_logits(self, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
        """Logits float32 (N, C) of the averaged network for uint8 images (N, S, S)."""
        raw = [_to_array(v) for v in self._averaged]
        self.load_averages()
        try:
            return infer_logits(self._infer, images, batch_size)
        finally:
            for variable, value in zip(self._averaged, raw, strict=True):
                variable.assign(value)

    def load_averages(self) -> None:
        """Put the averaged state into the model itself."""
        for variable, average in zip(self._averaged, self._averages, strict=True):
            variable.assign(average.value())

    def state(self) -> dict[str, np.ndarray]:
        """Everything that a later `restore` needs to go on as if nothing had happened."""
        groups = {"model": self._trained.variables, "optimizer": self.optimizer.variables, "average": self._averages}
        return {f"{group}/{i}": _to_array(v) for group, variables in groups.items() for i, v in enumerate(variables)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up a state that `state` returned for the same recipe."""
        groups = {"model": self._trained.variables, "optimizer": self.optimizer.variables, "average": self._averages}
        for group, variables in groups.items():
            for i, variable in enumerate(variables):
                variable.assign(state[f"{group}/{i}"])


def infer_logits(infer: Any, images: np.ndarray, batch_size: int = 256) -> np.ndarray:
    """Logits float32 (N, C) for uint8 images (N, S, S), through `infer` (float32 (n, S, S, 1) in 0..1 -> logits)."""
    batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
    return np.concatenate([np.asarray(infer(as_network_input(b))) for b in batches])


def _to_array(variable: Any) -> np.ndarray:
    """A copy of a Keras or TensorFlow variable. NumPy 2 warns when it converts a TensorFlow variable by itself."""
    import keras

    return np.asarray((variable.value if isinstance(variable, keras.Variable) else variable).numpy())
