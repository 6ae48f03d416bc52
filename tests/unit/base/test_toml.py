"""Files with settings: every fault is one clear line, in every command that reads one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fervid.alerts.language.rules import load_rules
from fervid.alerts.notify.deliver import load_notifier
from fervid.base.toml import read_toml
from fervid.config.load import load_settings
from fervid.errors import ConfigError
from fervid.profile.genre import load_genres
from fervid.train.fit.recipe import load_recipe
from fervid.train.tune.space import load_space

READERS = {
    "settings": lambda path: load_settings(file=path),
    "rules": lambda path: load_rules(str(path)),
    "receivers": load_notifier,
    "genres": load_genres,
    "recipe": lambda path: load_recipe(str(path)),
    "search space": lambda path: load_space(str(path)),
}
FAULTS = {"a torn line": b"[video", "not text": b"\xff\xfe\x00", "too deep": b"a = " + b"[" * 20000 + b"]" * 20000}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("content", FAULTS.values(), ids=FAULTS)
def test_what_is_not_toml_is_refused_by_every_reader(reader, content: bytes, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"mine\.toml is not valid TOML \(.*\)\. Correct it and run again\.$"):
        reader(file)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_missing_file_is_named(reader, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match=r"none\.toml.* does not exist"):
        reader(tmp_path / "none.toml")


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "windows.toml"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    assert read_toml(file) == {"a": 1}
