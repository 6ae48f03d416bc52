"""What the documents say of commands, presets, settings, columns and exit codes is what there is."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

import fervid
from fervid import errors
from fervid.alerts.find.records import alerts_schema
from fervid.alerts.language.rules import Rule
from fervid.alerts.notify import RECEIVERS
from fervid.alerts.notify.deliver import NotifySettings
from fervid.alerts.review.reviews import reviews_schema
from fervid.base.registry import resolve
from fervid.batch.inputs import OPTION_COLUMNS, PATH_COLUMN
from fervid.cli.table import COMMANDS as TABLE
from fervid.cli.table import load_command
from fervid.config import Settings, preset_names
from fervid.emotion.networks.network import NETWORKS
from fervid.run.handle import open_run
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.runtime.device import RUNNERS
from fervid.train.fit.recipe import load_recipe, recipe_names
from fervid.video.ledger import Ledger

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
ALERTS = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
FORMATS = "\n".join(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs" / "formats").glob("*.md")))
ALERT_FILES = (ROOT / "docs" / "formats" / "alerts.md").read_text(encoding="utf-8")


def test_the_readme_is_a_short_door() -> None:
    assert len(README.splitlines()) <= 130
    assert len(README.split()) <= 1100


def test_every_command_is_in_the_overview_and_has_help() -> None:
    for name in TABLE:
        command = load_command(name)
        assert command.help
        assert f"`fervid {name}" in COMMANDS
        for below, one in getattr(command, "commands", {}).items():
            assert one.help
            assert f"`{name} {below}`" in COMMANDS


def test_the_list_of_commands_fits_a_terminal() -> None:
    assert max(len(line) for _, line in TABLE.values()) <= 80 - 12


def test_every_preset_and_recipe_is_named_and_loads() -> None:
    for name in preset_names():
        assert f"`{name}`" in COMMANDS
    for name in recipe_names():
        assert load_recipe(name).network in NETWORKS
        assert f"`{name}`" in MODELS


@pytest.mark.parametrize("schema", [frames_schema(), faces_schema(["x"]), tracks_schema(["x"]), timeline_schema(["x"])])
def test_every_column_is_described(schema: object) -> None:
    for name in schema.names:  # type: ignore[attr-defined]
        described = re.sub(r"_x$", "_<label>", name)
        assert f"`{described}`" in FORMATS, described


@pytest.mark.parametrize("schema", [alerts_schema(), reviews_schema()])
def test_every_column_about_alerts_is_described(schema: object) -> None:
    for name in schema.names:  # type: ignore[attr-defined]
        assert f"`{name}`" in ALERT_FILES, name


def test_every_key_of_rules_and_of_receivers_is_described() -> None:
    for name, field in Rule.model_fields.items():
        assert f"`{field.alias or name}`" in ALERTS, name
    for model in (NotifySettings, *(resolve(RECEIVERS, name, kind="receiver") for name in RECEIVERS)):
        for name in model.model_fields:
            assert re.search(rf"^(\[{name}\]|{name} = )", ALERTS, re.MULTILINE), name


def test_the_keys_that_a_rule_needs_are_said_to_be_required() -> None:
    for name, field in Rule.model_fields.items():
        rows = [line for line in ALERTS.splitlines() if re.match(rf"\| [^|]*`{field.alias or name}`[^|]* \|", line)]
        assert ("required" in rows[0]) is (field.is_required() or field.alias == "exit"), name


def test_every_entry_of_the_ledger_is_described() -> None:
    for name in Ledger.__slots__:
        assert f"`{name}`" in FORMATS, name


def test_every_exit_code_of_an_error_is_in_the_overview() -> None:
    paragraph = COMMANDS[COMMANDS.index("Exit codes:") :].split("\n\n")[0]
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    for code in codes:
        assert re.search(rf"\b{code}\b", paragraph), code


def test_every_error_stands_in_the_tree_with_its_code() -> None:
    assert errors.__doc__ is not None
    for name, kind in vars(errors).items():
        if isinstance(kind, type):
            assert name in errors.__doc__


def test_settings_that_the_pages_set_exist() -> None:
    for text in (page.read_text(encoding="utf-8") for page in PAGES):
        for section, key in re.findall(r"(?:--set |\[\")(\w+)\.(\w+)=", text):
            kind = Settings.model_fields[section].annotation
            assert key in kind.model_fields or key == "options", (section, key)  # type: ignore[union-attr]
        for section, key in re.findall(r"FERVID_(\w+)__(\w+)=", text):
            kind = Settings.model_fields[section.lower()].annotation
            assert key.lower() in kind.model_fields  # type: ignore[union-attr]


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
    assert "`docs/images/page-run.webp` in the source" in text
    assert "docs/decisions.md" in text


def test_links_of_the_documents_lead_somewhere() -> None:
    for document in PAGES:
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), (document.name, target)


def test_every_decision_has_an_id_and_a_date_and_is_named_where_it_takes_effect() -> None:
    page = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    entries = re.findall(r"^### ([A-Z]{3}-\d+): .+\n\n(\d{4}-\d\d-\d\d)\. Chose ", page, re.MULTILINE)
    ids = [one for one, _ in entries]
    assert len(ids) == len(set(ids)) == page.count("\n### ")
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("pipeline", "configs", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".js", ".toml")
    ]
    sources.append((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    notes = " ".join(" ".join(re.findall(r"(?:#|//) Decisions? ([^.]+)\.$", text, re.MULTILINE)) for text in sources)
    named = set(re.findall(r"[A-Z]{3}-\d+", notes))
    assert named == set(ids)


@pytest.mark.parametrize("page", ["batches.md", "formats/batch.md"])
def test_every_column_of_a_list_of_videos_is_described(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name in (PATH_COLUMN, *OPTION_COLUMNS):
        assert f"`{name}`" in text, name


def test_every_room_is_on_the_page_of_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert named == {folder.parent.name for folder in (ROOT / "pipeline" / "fervid").glob("*/__init__.py")}
    for module in re.findall(r"`((?:\w+\.)+\w+)`", page):
        path = ROOT / "pipeline" / "fervid" / Path(*module.removeprefix("fervid.").split("."))
        known = path.is_dir() or path.with_suffix(".py").is_file() or hasattr(fervid, module.removeprefix("fervid."))
        assert known or module.endswith((".json", ".parquet", ".py", ".md")), module


VALUE = "\0"


def _texts_of_the_code() -> str:
    """Every text in the source, one a line, with `VALUE` for each value that is put in."""
    texts = []
    for path in sorted((ROOT / "pipeline").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else VALUE for part in node.values)
                texts.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value.replace("%s", VALUE))
    return "\n".join(text.replace("\n", " ") for text in texts)


def test_every_message_on_the_page_of_troubles_is_one_that_fervid_prints() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]* [^`]*…[^`]*)` \|", page, re.MULTILINE)
    assert len(messages) > 25
    code = _texts_of_the_code()
    missing = [
        message
        for message in messages
        if not re.search(r"[^\n]*?".join(re.escape(part.strip()) for part in message.split("…") if part.strip()), code)
    ]
    assert missing == []


FOREIGN = re.compile(
    r"\b(pictures?|goes on|going on|go on|lies|begun|anew|whoever|nobody says|at most so often)\b", re.I
)
"""Words that the pages once had for image, continue, is and others."""


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_the_pages_use_the_usual_words(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    if page.name not in ("cli.md", "settings.md"):  # their words are those of the code
        assert FOREIGN.findall(text) == []
