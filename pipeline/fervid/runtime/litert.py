"""The only module that opens networks in LiteRT. Knows no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fervid.errors import DependencyMissing
from fervid.runtime.backend import quiet


def open_network(source: Path | bytes, *, num_threads: int = 1) -> Any:
    """An interpreter of a TFLite file, given by its path or content, ready to be called by one thread.

    Raises DependencyMissing without LiteRT, and ValueError or RuntimeError if the file is not a TFLite network.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as problem:
        raise DependencyMissing(
            f"LiteRT cannot be imported ({problem}). Install it with `pip install ai-edge-litert`."
        ) from None
    with quiet():
        if isinstance(source, bytes):
            interpreter = Interpreter(model_content=source, num_threads=num_threads)
        else:
            interpreter = Interpreter(str(source), num_threads=num_threads)
        interpreter.allocate_tensors()
    return interpreter
