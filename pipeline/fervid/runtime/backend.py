"""Start Keras and its backend without their chatter on the terminal. Knows nothing of models.

Their C++ parts write to the file descriptors before any log setting takes effect (measured with TensorFlow 2.21:
TF_CPP_MIN_LOG_LEVEL leaves four lines at import, the TFLite converter up to a screen), so the descriptors themselves
are pointed elsewhere for that moment.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from fervid.errors import ConfigError, missing

TRAINING_BACKENDS = ("tensorflow", "jax")
"""What training runs on, the first that is installed."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what is written to stdout and stderr, by Python or native code, in the whole process. Errors still raise."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor, _ in saved:
            os.dup2(sink, descriptor)
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        sys.stderr.flush()
        for descriptor, copy in saved:
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(sink)


def load_keras() -> Any:
    """The `keras` module on whatever backend is configured. Raises DependencyMissing."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors stay visible after the import
    try:
        with quiet():
            import keras

            if keras.backend.backend() == "tensorflow":
                import tensorflow

                tensorflow.config.list_physical_devices()  # the first look for a GPU is noisy too
    except ImportError as problem:
        library = problem.name or "TensorFlow"
        raise missing("a network in Keras", library, "jax" if library.startswith("jax") else "train", problem) from None
    return keras


def load_tensorflow() -> Any:
    """The `tensorflow` module, with Keras on it, as an export needs. Raises DependencyMissing or ConfigError."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras says: the converter takes nothing else
    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise ConfigError(f"Keras runs on {backend} in this process, expected tensorflow. Start a new one for this.")
    import tensorflow

    return tensorflow


def load_training_backend() -> str:
    """Start Keras on what training runs on and return its name: TensorFlow where it is installed, otherwise JAX.

    KERAS_BACKEND names another choice. Raises ConfigError for a backend without a training step, DependencyMissing when
    neither is installed.
    """
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        installed = [name for name in TRAINING_BACKENDS if _is_installed(name)]
        if not installed:
            raise missing("training", "TensorFlow", "train")
        os.environ["KERAS_BACKEND"] = installed[0]
    backend = str(load_keras().backend.backend())
    if backend not in TRAINING_BACKENDS:
        raise ConfigError(
            f"Keras runs on {backend}, expected {' or '.join(TRAINING_BACKENDS)}. Set KERAS_BACKEND to one of them."
        )
    return backend


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):  # blocked on purpose
        return False


def describe_backend() -> str:
    """One phrase for people: backend, version, and the device that it computes on."""
    backend = load_keras().backend.backend()
    if backend == "jax":
        import jax

        device = jax.devices()[0]
        where = f"{os.cpu_count()} CPU cores" if device.platform == "cpu" else device.device_kind
        return f"JAX {jax.__version__} on {where}"
    import tensorflow

    graphics = tensorflow.config.list_physical_devices("GPU")
    where = f"{os.cpu_count()} CPU cores"
    if graphics:
        where = tensorflow.config.experimental.get_device_details(graphics[0]).get("device_name", graphics[0].name)
    return f"TensorFlow {tensorflow.__version__} on {where}"
