"""Arrow without pandas, which takes 0.4 CPU seconds to import. Loads neither."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType


def without_pandas() -> None:
    """Have Arrow find no pandas with the first value that it converts; it would import it to recognise data frames.

    Both may still be imported, and `to_pandas()` works. For a program of its own alone: tables that are made of a
    caller's data frames need what is left out here.
    """
    if "pyarrow" in sys.modules:
        _look_for_pandas()
    else:
        sys.meta_path.insert(0, _WithArrow())


class _WithArrow:
    """Has Arrow look for pandas as soon as it is imported."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if name != "pyarrow":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_look(module: ModuleType) -> None:
                execute(module)
                _look_for_pandas()

            spec.loader.exec_module = execute_and_look  # type: ignore[method-assign]
        return spec


class _WithoutPandas:
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)


def _look_for_pandas() -> None:
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, finder := _WithoutPandas())
    try:
        pa.scalar(0)
    finally:
        sys.meta_path.remove(finder)
