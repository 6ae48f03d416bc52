"""`fervid config`: the settings that a command would use."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fervid.cli.analyze import Assignments, ConfigFile, Preset


def config(
    preset: Preset = "default",
    config: ConfigFile = None,
    assignments: Assignments = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Print every setting with its value, after preset, file, environment and --set."""
    from fervid.config import load_settings

    settings = load_settings(preset=preset, file=config, assignments=assignments or ()).model_dump(mode="json")
    if as_json:
        print(json.dumps(settings, indent=2))
        return

    def show(prefix: str, values: dict[str, object]) -> None:
        for key, value in values.items():
            if isinstance(value, dict):
                show(f"{prefix}{key}.", value)
            else:
                print(f"{prefix}{key} = {json.dumps(value)}")

    show("", settings)
