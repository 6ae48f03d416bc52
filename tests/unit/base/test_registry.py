"""From names to objects."""

from __future__ import annotations

import sys
from fractions import Fraction

import pytest

from fervid.alerts.notify import RECEIVERS
from fervid.base.registry import resolve
from fervid.detect import DETECTORS
from fervid.emotion import CLASSIFIERS
from fervid.errors import ConfigError
from fervid.runtime.device import RUNNERS
from fervid.track import SMOOTHERS, TRACKERS

TABLE = {"fraction": "fractions:Fraction", "broken": "no_such_module_anywhere:Thing"}


def test_a_name_stands_for_its_object() -> None:
    assert resolve(TABLE, "fraction", kind="number") is Fraction


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"number 'integer' does not exist\. Use one of fraction, broken"):
        resolve(TABLE, "integer", kind="number")


def test_an_entry_is_imported_only_when_it_is_used() -> None:
    assert "no_such_module_anywhere" not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        resolve(TABLE, "broken", kind="number")


TABLES = {"detectors": DETECTORS, "trackers": TRACKERS, "smoothers": SMOOTHERS, "receivers": RECEIVERS}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_entry_of_the_tables_exists(table: dict[str, str]) -> None:
    for name, entry in table.items():
        assert resolve(table, name, kind="entry").__name__ == entry.partition(":")[2]


def test_every_device_has_a_runner_in_the_table() -> None:
    assert set(RUNNERS) == {"cpu", "gpu"}
    assert set(RUNNERS.values()) <= set(CLASSIFIERS)
