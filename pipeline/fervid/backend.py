"""Start TensorFlow and Keras without their chatter on the terminal. Knows nothing of models.

Their C++ parts write to the file descriptors before any log setting takes effect (measured with TensorFlow 2.21:
TF_CPP_MIN_LOG_LEVEL leaves four lines at import, the TFLite converter up to a screen), so the descriptors themselves
are pointed elsewhere for that moment.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

from fervid.errors import ConfigError, DependencyMissing


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
        raise DependencyMissing(
            f"Keras and its backend cannot be imported ({problem}). Run `pip install tensorflow`."
        ) from None
    return keras


def load_tensorflow() -> Any:
    """The `tensorflow` module, with Keras on it, as training needs. Raises DependencyMissing or ConfigError."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras says: the training step is written for it
    backend = load_keras().backend.backend()
    if backend != "tensorflow":
        raise ConfigError(f"Keras runs on {backend} in this process, expected tensorflow. Start a new one to train.")
    import tensorflow

    return tensorflow
