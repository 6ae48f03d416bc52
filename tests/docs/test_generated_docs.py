"""The pages that are made from code are those that the code makes now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import fervid
from fervid.config.describe import describe_sections

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "cli.md", "api.md"])
def test_a_page_made_from_code_is_up_to_date(name: str) -> None:
    made = _generator().PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == made, "run: python docs/generate.py"


def test_every_setting_has_a_meaning_and_stands_on_the_page() -> None:
    page = (DOCS / "settings.md").read_text(encoding="utf-8")
    for section in describe_sections():
        assert section.meaning, section.key
        assert f"`[{section.key}]`" in page
        for setting in section.settings:
            assert len(setting.meaning.split()) > 1, f"{setting.key} has no description"
            assert f"| `{setting.name}` |" in page


def test_every_setting_that_counts_something_has_its_unit() -> None:
    settings = {one.key: one for section in describe_sections() for one in section.settings}
    assert settings["video.fps"].unit == "frames per second"
    assert settings["video.end_seconds"].unit == "seconds"
    assert settings["detect.min_face_px"].unit == "pixels"
    assert settings["batch.memory_mib"].unit == "MiB"
    assert settings["detect.octave_shares"].unit == "shares of 1"
    assert settings["track.find_cuts"].unit == ""
    assert settings["emotion.labels"].allowed == "one of auto, fer2013, ferplus, mean, blend"
    assert settings["video.fps"].allowed == "0 to 1000"


def test_every_public_name_stands_on_the_page_of_the_python_interface() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    for name in fervid.__all__:
        if not name.startswith("_"):
            assert f"`{name}`" in page
            assert f"::: {getattr(fervid, name).__module__}" in page, name


def test_no_page_names_a_path_of_the_machine_it_was_made_on() -> None:
    for name in _generator().PAGES:
        assert str(Path.home()) not in (DOCS / name).read_text(encoding="utf-8")
        assert str(DOCS.parent) not in (DOCS / name).read_text(encoding="utf-8")
