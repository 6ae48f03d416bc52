"""One run at a time in one place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fervid.errors import OutputError, OutputInUse
from fervid.storage.lock import Lock, locked


def test_a_place_is_refused_while_it_is_locked_and_free_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        with pytest.raises(OutputInUse, match=f"run is in use by another run of fervid .process {os.getpid()}."):
            Lock(tmp_path / "run")
        Lock(tmp_path / "other").release()
    Lock(tmp_path / "run").release()
    assert not list(tmp_path.iterdir())


def test_a_file_left_behind_locks_nobody_out(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").write_text("4711 from long ago")
    Lock(tmp_path / "run").release()


def test_a_folder_made_for_a_lock_alone_goes_with_it(tmp_path: Path) -> None:
    with locked(tmp_path / "out" / "run"):
        pass
    assert not (tmp_path / "out").exists()
    with locked(tmp_path / "out" / "run"):
        (tmp_path / "out" / "run").mkdir()
    assert (tmp_path / "out" / "run").is_dir()


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written") as caught:
        Lock(tmp_path / "file" / "run")
    assert not isinstance(caught.value, OutputInUse)
