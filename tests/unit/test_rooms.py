"""The package as a house: rooms without circles, arrows that fall, tests in folders of the same names."""

from __future__ import annotations

from pathlib import Path

import pytest

from rooms import LATER, LOADED, PACKAGE, TYPES, House, Import, imports

ROOT = Path(__file__).resolve().parents[2]

MOST_ROOMS = 34


@pytest.fixture(scope="module")
def house() -> House:
    return House(tuple(imports()))


# Decision PAC-5.
def test_no_circle_and_nothing_that_runs_up(house: House) -> None:
    assert house.circles(LOADED, LATER, TYPES) == []
    assert house.upward == []


def test_a_newcomer_can_count_the_rooms(house: House) -> None:
    assert len(house.rooms) <= MOST_ROOMS


def test_unit_tests_lie_in_folders_named_after_rooms(house: House) -> None:
    folders = {path.name for path in (ROOT / "tests" / "unit").iterdir() if path.is_dir() and path.name[0] not in "._"}
    assert folders <= set(house.rooms)


def test_the_drawing_sees_every_kind_of_import(tmp_path: Path) -> None:
    package = tmp_path / "fervid"
    package.mkdir()
    for name in ("a", "b", "c", "d"):
        (package / f"{name}.py").write_text("")
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nfrom fervid import b\nTABLE = {'d': 'fervid.d:thing'}\n"
        "if TYPE_CHECKING:\n    from fervid.c import Thing\n\ndef later():\n    import fervid.b\n"
    )
    (package / "b.py").write_text("import fervid.a\n")
    found = imports(package)
    assert [(each.source, each.target, each.kind) for each in found] == [
        ("fervid.a", "fervid.b", LATER),
        ("fervid.a", "fervid.b", LOADED),
        ("fervid.a", "fervid.c", TYPES),
        ("fervid.a", "fervid.d", LATER),
        ("fervid.b", "fervid.a", LOADED),
    ]
    house = House(tuple(found))
    assert house.circles(LOADED) == [["a", "b"]]
    assert house.upward == [("b", "a")]
    assert house.floors["a"] > house.floors["b"]


def test_every_module_is_drawn(house: House) -> None:
    rooms = {path.stem if path.suffix == ".py" else path.name for path in PACKAGE.iterdir() if path.name[0] not in "_."}
    assert rooms - {"py.typed"} - {"py"} <= {*house.rooms, "__init__"}
    assert Import("fervid.analysis", "fervid.batch.whole", LOADED, 0).source in {each.source for each in house.imports}
