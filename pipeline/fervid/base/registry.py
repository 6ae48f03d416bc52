"""From a name in a table to the object it stands for, imported on use. Knows no table itself.

A name that a table does not have may come from another package: one that declares an entry point in the table's group.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from fervid.errors import ConfigError, DependencyMissing, FervidError, PluginError

DETECTOR_PLUGINS, CLASSIFIER_PLUGINS, EXPORTER_PLUGINS = "fervid.detectors", "fervid.classifiers", "fervid.exporters"
"""Entry point groups for plug-ins."""


def resolve(table: Mapping[str, str], name: str, *, kind: str, group: str | None = None) -> Any:
    """The object behind `table[name]`, an entry of the form "module:object", or behind a plug-in of that name.

    What comes with fervid goes first, so that no package can change what a name has always meant. Raises ConfigError
    listing the names there are, DependencyMissing when a plug-in cannot be loaded.
    """
    if name in table:
        module, _, attribute = table[name].partition(":")
        return getattr(import_module(module), attribute)
    if group is not None and name in (brought := plugins(group)):
        return load_plugin(brought[name], kind=kind)
    raise ConfigError(f"{kind} {name!r} does not exist. Use one of {', '.join(names(table, group))}.")


def names(table: Mapping[str, str], group: str | None) -> list[str]:
    """What can be asked for by name: the table's own, then those of plug-ins."""
    return [*table, *(sorted(set(plugins(group)) - set(table)) if group is not None else ())]


def plugins(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name. Raises ConfigError when two packages claim one name."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        other = found.setdefault(entry.name, entry)
        if other.value != entry.value:
            raise ConfigError(
                f"{origin(other)} and {origin(entry)} both provide {group} {entry.name!r}. Uninstall one of them."
            )
    return found


def load_plugin(entry: EntryPoint, *, kind: str) -> Any:
    """Import what an entry point names. Raises DependencyMissing or PluginError with the reason."""
    try:
        with plugin_code(entry, kind=kind, passes=(ImportError, AttributeError)):
            return entry.load()
    except (ImportError, AttributeError) as problem:
        raise DependencyMissing(
            f"{kind} {entry.name!r} of {origin(entry)} cannot be loaded ({problem}). Install that package again."
        ) from problem


@contextmanager
def plugin_code(entry: EntryPoint, *, kind: str, passes: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Within the block, an error is the plug-in's: raises PluginError with its name, its package and where it arose.

    Errors of fervid, those in `passes` and a lack of memory stay what they are.
    """
    try:
        yield
    except (FervidError, MemoryError):
        raise
    except Exception as problem:
        if isinstance(problem, passes):
            raise
        where = ""
        own = str(Path(__file__).parents[1])
        for step in traceback.extract_tb(problem.__traceback__):
            if not step.filename.startswith(own):
                where = f" at {step.filename}, line {step.lineno}"
                break
        raise plugin_fault(entry, f"failed{where}: {type(problem).__name__}: {problem}", kind=kind) from problem


def plugin_fault(entry: EntryPoint, what: str, *, kind: str) -> PluginError:
    """The error for a plug-in that did `what`."""
    return PluginError(f"{kind} {entry.name!r} of {origin(entry)} {what}. Report it to the author of that package.")


def plugin_version(group: str, name: str) -> str:
    """The package and version that bring a plug-in; empty where there is none of that name."""
    entry = plugins(group).get(name)
    return origin(entry) if entry is not None else ""


def origin(entry: EntryPoint) -> str:
    """The package that declares an entry point, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unknown package"
