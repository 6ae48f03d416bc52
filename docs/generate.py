"""Generate settings.md, cli.md and api.md from the code. Run this after changing a setting or an option.

python docs/generate.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import fervid
from fervid.cli import app
from fervid.config import preset_names
from fervid.config.describe import describe_sections
from fervid.config.load import load_sourced_settings
from fervid.config.write import literal, value_at

DOCS = Path(__file__).parent
NOTE = "<!-- Generated from the code by docs/generate.py. Change the code and run it again. -->"

API = {
    "Functions": (
        "fervid.analysis.analyze",
        "fervid.live.session.stream",
        "fervid.api.load_run",
        "fervid.run.handle.open_run",
        "fervid.api.find_alerts",
        "fervid.api.make_profile",
        "fervid.config.load.load_settings",
    ),
    "What they return": (
        "fervid.run.handle.Run",
        "fervid.live.session.Moment",
        "fervid.alerts.find.scan.RunAlerts",
        "fervid.profile.profile.Profile",
        "fervid.config.settings.Settings",
    ),
    "What a plug-in implements": (
        "fervid.detect.Detector",
        "fervid.emotion.Classifier",
        "fervid.exports.source.RunTables",
    ),
    "Errors": ("fervid.errors",),
}
"""Contents of the page of the Python API, in order."""


def settings_page() -> str:
    """Every setting, a table per section."""
    lines = [
        "# Settings",
        "",
        NOTE,
        "",
        "A later source overrides an earlier one: the default, the preset (`--preset`), the file",
        "(`--config`), the environment (`FERVID_VIDEO__FPS=10`), `--set video.fps=10`, an option such as `--fps 10`.",
        "",
        "`fervid config` prints the values that a command would use. `fervid config --toml > mine.toml` writes them as",
        "a file for `--config`, each with its meaning and source; a setting that is not set is commented out.",
    ]
    lines += ["", "## Presets", "", "| preset | what it sets |", "|---|---|"]
    for name in preset_names():
        chosen = load_sourced_settings(preset=name, environment={})
        content = chosen.settings.model_dump(mode="json")
        values = ", ".join(f"`{key} = {literal(value_at(content, key))}`" for key in chosen.sources)
        lines.append(f"| `{name}` | {values or 'nothing'} |")
    for section in describe_sections():
        lines += ["", f"## `[{section.key}]`", "", section.meaning]
        if section.settings:
            lines += ["", "| setting | default | unit and values | meaning |", "|---|---|---|---|"]
        for one in section.settings:
            default = f"`{literal(one.default)}`" if one.default is not None else "not set"
            values = ", ".join(filter(None, (one.unit, one.allowed)))
            lines.append(f"| `{one.name}` | {default} | {_cell(values)} | {_cell(one.meaning)} |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its arguments and options."""
    lines = ["# Command-line options", "", NOTE, "", "`fervid COMMAND --help` (or `-h`) prints the same."]
    root = typer.main.get_command(app)
    lines += ["", "## `fervid`", "", *_description(root), *_parameters(root)]
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        lines += _command(f"fervid {name}", command)
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """The public Python API; the site takes its text from the docstrings."""
    lines = ["# Python API", "", NOTE, "", f"Importable from `fervid` itself: {_names(fervid.__all__)}."]
    for title, names in API.items():
        lines += ["", f"## {title}"]
        for name in names:
            lines += ["", f"::: {name}"]
    return "\n".join(lines) + "\n"


PAGES = {"settings.md": settings_page, "cli.md": commands_page, "api.md": api_page}


def _command(name: str, command: Any) -> Iterator[str]:
    yield from ("", f"## `{name}`", "", *_description(command), *_parameters(command))
    for below, one in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {below}", one)


def _description(command: Any) -> list[str]:
    return inspect.cleandoc(command.help or "").splitlines()


def _parameters(command: Any) -> Iterator[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name == "option"]
    if arguments:
        yield from ("", "| argument | meaning |", "|---|---|")
    for one in arguments:
        many = "..." if one.nargs != 1 else ""
        needed = "" if one.required else " (optional)"
        yield f"| `{one.name.upper()}{many}` | {_cell(one.help or '')}{needed} |"
    if options:
        yield from ("", "| option | default | meaning |", "|---|---|---|")
    for one in options:
        names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
        yield f"| {names} | {_default(one)} | {_cell(one.help or '')} |"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if option.is_flag:
        return f"`{option.opts[0]}`" if option.secondary_opts and option.default else ""
    shown = option.show_default if isinstance(option.show_default, str) else option.default
    return f"`{shown}`" if shown not in (None, "", (), []) and not callable(shown) else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names if not name.startswith("_"))


if __name__ == "__main__":
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8")
        print(DOCS / name)
