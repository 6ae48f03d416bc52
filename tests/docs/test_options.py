"""Every option and setting that the documents name exists, and every one that exists is in the documents."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from fervid.cli import app
from fervid.config import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"```sh\n(.*?)```", re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OF_OTHERS = {"--object-store-memory", "--resolution"}
"""Options of programs that a page names beside them."""
NOT_SETTINGS = {
    f"video.{key}" for key in ("recorded", "recorded_source", "recorded_utc", "time_source", "turn_degrees")
}
"""Keys of the manifest."""
FILES = ("parquet", "png", "json", "jsonl", "mp4")


GENERAL = {"--help", "-h", "--debug", "-v", "--verbose"}


def _options() -> dict[str, set[str]]:
    """The options of each command by its words, such as `alerts find`; those of `fervid` itself under ""."""
    found: dict[str, set[str]] = {}

    def add(words: tuple[str, ...], command: Any) -> None:
        names = {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
        found[" ".join(words)] = names
        for name, below in getattr(command, "commands", {}).items():
            add((*words, name), below)

    add((), typer.main.get_command(app))
    return found


OPTIONS = _options()
ALL = GENERAL.union(*OPTIONS.values())


def _commands(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each use of fervid on a page: the command's words and the options given to it."""
    blocks = "\n".join(FENCE.findall(page)).replace("\\\n", " ")
    inline = [code for code in CODE.findall(FENCE.sub("", page)) if code.startswith("fervid ")]
    for line in (*re.findall(r"(?:^|[ /(])(fervid [^|;)#\n]*)", blocks, re.MULTILINE), *inline):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a quoted query goes on in the next line
            words = line.split('"')[0].split()
        names = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]
        command = next((" ".join(names[:n]) for n in (2, 1) if " ".join(names[:n]) in OPTIONS and names[:n]), None)
        if command is not None:
            yield command, [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]


def test_commands_on_the_pages_have_the_options_that_they_are_given() -> None:
    n_options = 0
    for page in PAGES:
        for command, given in _commands(page.read_text(encoding="utf-8")):
            known = OPTIONS["alerts find" if command == "alerts" else command] | GENERAL
            assert set(given) <= known, (page.name, command, set(given) - known)
            n_options += len(given)
    assert n_options > 100


def test_options_that_the_pages_name_exist() -> None:
    of_benchmarks = {
        name
        for path in (ROOT / "benchmarks").glob("*.py")
        for name in re.findall(r'"(--[a-z-]+)"', path.read_text(encoding="utf-8"))
    }
    for page in PAGES:
        for code in CODE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if code.startswith("--"):
                unknown = set(OPTION.findall(code)) - ALL - of_benchmarks - OF_OTHERS
                assert not unknown, (page.name, code)


def test_every_option_is_on_the_page_of_options() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        (name,) = re.findall(r"^`fervid ?(.*?)`", section)
        for option in OPTIONS[name]:
            assert f"`{option}`" in section, (name, option)
    assert page.count("\n## ") == len(OPTIONS)


def test_settings_that_the_pages_name_exist() -> None:
    n_settings = 0
    for page in PAGES:
        for section, key in re.findall(r"`(\w+)\.(\w+)(?= ?[=`])", page.read_text(encoding="utf-8")):
            module = ROOT / "pipeline" / "fervid" / section / key
            is_module = module.is_dir() or module.with_suffix(".py").exists()
            if section not in Settings.model_fields or key in FILES or is_module or f"{section}.{key}" in NOT_SETTINGS:
                continue
            kind = Settings.model_fields[section].annotation
            assert key in kind.model_fields, (page.name, section, key)  # type: ignore[union-attr]
            n_settings += 1
    assert n_settings > 30
