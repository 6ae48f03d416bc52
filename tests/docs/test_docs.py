"""What the documents say of commands, presets, settings, columns and exit codes is what there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import fervid
from fervid import errors
from fervid.alerts.find.records import alerts_schema
from fervid.alerts.language.rules import Rule
from fervid.alerts.notify.deliver import Command, NotifySettings, Webhook
from fervid.alerts.review.reviews import reviews_schema
from fervid.cli import app
from fervid.config import Settings, preset_names
from fervid.emotion.networks.network import NETWORKS
from fervid.run.handle import open_run
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.runtime.device import RUNNERS
from fervid.train.fit.recipe import load_recipe, recipe_names
from fervid.video.reader import Ledger

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")


def test_every_command_is_in_the_readme_and_has_help() -> None:
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"`fervid {command.callback.__name__}" in README
        assert command.callback.__doc__
    for group in app.registered_groups:
        assert f"`fervid {group.name}`" in README
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            assert f"`{group.name} {command.callback.__name__}`" in README
            assert command.callback.__doc__


def test_every_preset_and_recipe_is_named_and_loads() -> None:
    for name in preset_names():
        assert f"`{name}`" in README
    for name in recipe_names():
        assert load_recipe(name).network in NETWORKS
        assert f"`{name}`" in README


@pytest.mark.parametrize("schema", [frames_schema(), faces_schema(["x"]), tracks_schema(["x"]), timeline_schema(["x"])])
def test_every_column_is_described(schema: object) -> None:
    for name in schema.names:  # type: ignore[attr-defined]
        described = re.sub(r"_x$", "_<label>", name)
        assert f"`{described}`" in FORMATS, described


@pytest.mark.parametrize("schema", [alerts_schema(), reviews_schema()])
def test_every_column_about_alerts_is_described(schema: object) -> None:
    for name in schema.names:  # type: ignore[attr-defined]
        assert f"`{name}`" in ALERTS, name


def test_every_key_of_rules_and_of_receivers_is_described() -> None:
    for name, field in Rule.model_fields.items():
        assert f"`{field.alias or name}`" in ALERTS, name
    for model in (NotifySettings, Webhook, Command):
        for name in model.model_fields:
            assert re.search(rf"^(\[{name}\]|{name} = )", ALERTS, re.MULTILINE), name


def test_the_keys_that_a_rule_needs_are_said_to_be_required() -> None:
    for name, field in Rule.model_fields.items():
        rows = [line for line in ALERTS.splitlines() if re.match(rf"\| [^|]*`{field.alias or name}`[^|]* \|", line)]
        assert ("required" in rows[0]) is (field.is_required() or field.alias == "exit"), name


def test_every_entry_of_the_ledger_is_described() -> None:
    for name in Ledger.__slots__:
        assert f"`{name}`" in FORMATS, name


def test_every_exit_code_of_an_error_is_in_the_readme() -> None:
    paragraph = README[README.index("Exit codes:") :].split("\n\n")[0]
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    for code in codes:
        assert re.search(rf"\b{code}\b", paragraph), code


def test_every_error_stands_in_the_tree_with_its_code() -> None:
    assert errors.__doc__ is not None
    for name, kind in vars(errors).items():
        if isinstance(kind, type):
            assert name in errors.__doc__


def test_settings_that_the_readme_sets_exist() -> None:
    for section, key in re.findall(r"--set (\w+)\.(\w+)", README):
        assert key in Settings.model_fields[section].annotation.model_fields  # type: ignore[union-attr]
    for section, key in re.findall(r"FERVID_(\w+)__(\w+)=", README):
        assert key.lower() in Settings.model_fields[section.lower()].annotation.model_fields  # type: ignore[union-attr]


def test_the_public_names_are_those_listed() -> None:
    assert sorted(fervid.__all__) == [
        "FervidError",
        "Run",
        "Settings",
        "__version__",
        "analyze",
        "find_alerts",
        "load_run",
        "load_settings",
        "make_profile",
        "open_run",
        "stream",
    ]
    for name in fervid.__all__:
        assert getattr(fervid, name) is not None
    assert fervid.open_run is open_run
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fervid.nothing  # noqa: B018


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == fervid.__version__
    assert set(RUNNERS) == {"cpu", "gpu"}


def test_what_a_package_index_shows_links_to_no_file_beside_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = README
    for change in project["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text, n_changed = re.subn(change["pattern"], change["replacement"], text)
        assert n_changed, change
    assert re.findall(r"\]\((?!https?:)", text) == []
    assert "`docs/images/review-run.jpg` in the source" in text
    assert "docs/decisions.md" in text


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document.name, target)
