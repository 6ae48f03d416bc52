"""From a name in a table to the object it stands for, imported on use. Knows no table itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fervid.errors import ConfigError


def resolve(table: Mapping[str, str], name: str, *, kind: str) -> Any:
    """The object behind `table[name]`, an entry of the form "module:object".

    Raises ConfigError listing the names there are.
    """
    if name not in table:
        raise ConfigError(f"{kind} {name!r} does not exist. Use one of {', '.join(table)}.")
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)
