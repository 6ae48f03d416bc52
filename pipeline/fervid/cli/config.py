"""`fervid config`: the settings that a command would use."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.option_groups import with_option_groups
from fervid.cli.options import SettingsMaker, SettingsOptions
from fervid.errors import ConfigError

if TYPE_CHECKING:
    from fervid.config.load import SourcedSettings


@with_option_groups
def config(
    settings: SettingsOptions,
    as_toml: Annotated[
        bool, typer.Option("--toml", help="Print TOML for --config, with meaning, unit, default and source of each.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of lines.")] = False,
) -> None:
    """Print every setting with its value, meaning and source, after preset, file, environment, --set and options.

    Example: fervid config --preset cctv --fps 10 --toml > mine.toml && fervid analyze VIDEO --config mine.toml
    """
    if as_toml and as_json:
        raise ConfigError("--toml and --json exclude each other. Give one of them.")
    found = SettingsMaker(settings).sourced({})
    from fervid.config.write import as_toml as written

    if as_toml:
        print(written(found))
    elif as_json:
        print(json.dumps(found.settings.model_dump(mode="json"), indent=2))
    else:
        _print_all(found)


def _print_all(found: SourcedSettings) -> None:
    """One line per setting: as a table in a terminal, else as plain text."""
    from fervid.cli.terminal import print_rows
    from fervid.config.describe import describe_sections
    from fervid.config.write import literal, replaced_by, value_at

    content = found.settings.model_dump(mode="json")
    rows = []
    for section in describe_sections():
        values = value_at(content, section.key)
        if section.is_open:
            rows += [
                (f"{section.key}.{name}", literal(value), found.source(f"{section.key}.{name}"), section.meaning)
                for name, value in values.items()
            ]
        for one in section.settings:
            value = literal(values[one.name]) or "not set"
            if other := replaced_by(one.key, content):
                value = f"{value} (not used: {other} is set)"
            unit = f" [{one.unit}]" if one.unit else ""
            rows.append((one.key, value, found.source(one.key), f"{one.meaning}{unit}"))
    print_rows(
        ("setting", "value", "from", "meaning"),
        rows,
        plain=lambda row: f"{row[0]} = {row[1]}  # {row[3]} From: {row[2]}.",
        wraps_last=True,
    )
