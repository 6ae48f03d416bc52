"""Options as dataclasses: a command takes a group of them as one parameter, and several commands share a group."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters of a dataclass type are replaced by one option per field.

    The fields are annotated as options of Typer are; a parameter without a default becomes an argument of that name.
    Called as a function, the command takes the same names.
    """
    hints = get_type_hints(command, include_extras=True)
    hints.pop("return", None)
    groups = {name: kind for name, kind in hints.items() if isinstance(kind, type) and is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        kinds = get_type_hints(groups[name], include_extras=True)
        parameters += [
            inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=kinds[one.name])
            for one in fields(groups[name])
        ]
    signature = inspect.Signature(parameters)

    @wraps(command)
    def run(**given: Any) -> None:
        values = signature.bind(**given)
        values.apply_defaults()
        left = dict(values.arguments)
        made = {name: kind(**{one.name: left.pop(one.name) for one in fields(kind)}) for name, kind in groups.items()}
        command(**left, **made)

    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    del run.__wrapped__  # Typer would read the hints of the original
    return run
