"""What the package asks to be installed: bounds on every version, and extras that messages can name."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest
from packaging.requirements import Requirement

from fervid.errors import DependencyMissing, Extra, install_line, missing
from fervid.storage.place import as_place

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
FOR_DEVELOPERS = {"docs", "test"}
ONLY_JOINS_OTHERS = {"all"}


def runtime() -> Iterator[Requirement]:
    named = [
        *PROJECT["dependencies"],
        *(line for name in sorted(EXTRAS.keys() - FOR_DEVELOPERS) for line in EXTRAS[name]),
    ]
    yield from (one for one in map(Requirement, named) if one.name != PROJECT["name"])


@pytest.mark.parametrize("requirement", list(runtime()), ids=str)
def test_every_runtime_dependency_has_a_lower_and_an_upper_bound(requirement: Requirement) -> None:
    operators = {bound.operator for bound in requirement.specifier}
    assert operators & {"<", "<=", "==", "~="}, f"{requirement}: the next major version may break it"
    assert operators & {">", ">=", "==", "~="}, f"{requirement}: which version was tried?"


def test_analysing_asks_for_no_training_framework() -> None:
    assert not {"tensorflow", "keras", "jax", "ray"} & {Requirement(line).name for line in PROJECT["dependencies"]}


def test_an_extra_that_joins_others_names_extras_that_exist() -> None:
    joined = [Requirement(line) for lines in EXTRAS.values() for line in lines if line.startswith(PROJECT["name"])]
    assert {extra for one in joined for extra in one.extras} <= EXTRAS.keys()
    (everything,) = map(Requirement, EXTRAS["all"])
    assert everything.extras == EXTRAS.keys() - FOR_DEVELOPERS - ONLY_JOINS_OTHERS - {"gpu", "jax"}


def test_with_a_gpu_training_has_the_same_bounds() -> None:
    (with_cuda,), (plain,) = map(Requirement, EXTRAS["gpu"]), map(Requirement, EXTRAS["train"])
    assert (with_cuda.name, with_cuda.specifier) == (plain.name, plain.specifier)
    assert with_cuda.extras == {"and-cuda"}


def test_messages_name_extras_that_exist_as_people_install_them() -> None:
    assert set(get_args(Extra)) <= EXTRAS.keys()
    assert install_line("train") in (f"pip install '{ROOT}[train]'", "pip install 'fervid[train]'")


@pytest.mark.parametrize(
    ("note", "origin"),
    [
        (None, "fervid"),
        ("{", "fervid"),
        ("[]", "fervid"),
        ('{"url": "https://example.org/fervid.whl"}', "fervid"),
        ('{"url": "file:///nowhere/at/all"}', "fervid"),
        ('{"url": "FILE"}', "PATH"),
    ],
)
def test_an_extra_is_installed_from_where_fervid_was(
    note: str | None, origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "a check out"
    checkout.mkdir()
    text = note and note.replace("FILE", checkout.as_uri())
    monkeypatch.setattr("importlib.metadata.distribution", lambda _: SimpleNamespace(read_text=lambda _: text))
    assert install_line("web") == f"pip install '{origin.replace('PATH', str(checkout))}[web]'"


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (None, "is not installed"),
        (ModuleNotFoundError("No module named 'x'", name="x"), "is not installed"),
        (ImportError("libx.so.1: cannot open shared object file"), "cannot be imported (libx.so.1: cannot open"),
    ],
)
def test_what_is_missing_is_one_line_with_the_reason_and_the_cure(problem: object, reason: str) -> None:
    text = str(missing("a query", "DuckDB", "query", problem))
    assert text.startswith(f"a query needs DuckDB, which {reason}")
    assert text.endswith(f". Run `{install_line('query')}`.")
    assert "\n" not in text


def test_a_bucket_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(DependencyMissing, match=rf"s3://b/x needs .* Run `{re.escape(install_line('s3'))}`"):
        as_place("s3://b/x")
