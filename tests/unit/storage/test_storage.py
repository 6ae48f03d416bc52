"""Names of places, publishing in one step, and leases where a store cannot replace on condition."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fervid.errors import ConfigError, DependencyMissing, InputError, OutputError, OutputInUse, install_line
from fervid.storage.place import Place, as_place, is_on_disk, names_in, remove_folder
from fervid.storage.publish import write_new, write_over, write_whole, written_whole
from fervid.storage.store_errors import storage_error
from runner import SOURCE

if TYPE_CHECKING:
    from upath import UPath


@pytest.fixture
def bucket() -> UPath:
    """A store in memory, which tells no ETag."""
    upath = pytest.importorskip("upath", reason="object storage needs the extra s3 or gcs")
    place: UPath = upath.UPath("memory:///bucket/out")
    remove_folder(place)
    return place


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("", Path()),
        ("clips/a.mp4", Path("clips/a.mp4")),
        ("file:///clips/a%20b.mp4", Path("/clips/a b.mp4")),
        ("a:b.mp4", Path("a:b.mp4")),
    ],
)
def test_a_name_without_a_store_is_a_path(name: str, path: Path) -> None:
    place = as_place(name)
    assert is_on_disk(place)
    assert place == path


@pytest.mark.parametrize("name", ["s3://", "gs:///", "http://host/a.mp4", "://a", "rtsp://camera/1"])
def test_a_name_of_no_store_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        as_place(name)


def test_a_store_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "upath", None)
    with pytest.raises(DependencyMissing, match=re.escape(install_line("gcs"))):
        as_place("gs://bucket/a")


@pytest.mark.skipif(os.name != "posix", reason="folders can be synced on POSIX systems alone")
def test_a_file_is_on_the_disk_before_its_name_and_its_name_before_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a file that is listed is whole: what is renamed was synced, and then its folder is."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def recorded_sync(descriptor: int) -> None:
        done.append("sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def recorded_replace(source: Path, target: Path) -> None:
        done.append(f"rename {target.name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_whole(tmp_path / "faces.parquet", b"rows")
    write_whole(tmp_path / "manifest.json", b"{}")
    assert done == [
        *("sync file", "rename faces.parquet", "sync folder"),
        *("sync file", "rename manifest.json", "sync folder"),
    ]


def fail_in_the_middle(target: Place) -> None:
    with written_whole(target) as partial:
        partial.write_bytes(b"half")
        assert target.name not in names_in(target.parent)
        raise RuntimeError


def test_what_is_published_appears_whole_or_not_at_all(tmp_path: Path, bucket: UPath) -> None:
    for folder in (tmp_path, bucket):
        target = folder / "table.parquet"
        with pytest.raises(RuntimeError):
            fail_in_the_middle(target)
        assert names_in(folder) == []
        with written_whole(target) as partial:
            partial.write_bytes(b"whole")
        assert target.read_bytes() == b"whole"
        write_whole(target, b"again")
        assert target.read_bytes() == b"again"
        assert names_in(folder) == ["table.parquet"]


@pytest.mark.skipif(sys.platform == "win32", reason="there files of killed processes stay")
def test_what_killed_processes_left_of_a_file_goes_with_the_next_attempt(tmp_path: Path) -> None:
    """Also of a killed process that nobody has asked for its exit code, and of a number that another one has now."""
    target = tmp_path / "[1].json"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom fervid.storage.publish import written_whole\n"
        "with written_whole(Path(sys.argv[1])): print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(target)]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    others = {".2.json.4711.part", ".[1].json.mine.part", f".[1].json.{writers[1].pid}.part"}
    for name in (".2.json.4711.part", ".[1].json.mine.part", f".[1].json.{os.getppid()}.part"):
        (tmp_path / name).write_bytes(b"half")
    writers[0].kill()
    os.waitid(os.P_PID, writers[0].pid, os.WEXITED | os.WNOWAIT)
    write_whole(target, b"whole")
    assert set(names_in(tmp_path)) == {target.name, *others}
    for writer in writers:
        writer.kill()
        writer.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="there open files are not renamed")
def test_two_writers_of_one_name_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one process, or processes of two containers with the same number."""
    from fervid.storage import publish

    target = tmp_path / "a.json"
    begun = threading.Event()

    def slowly() -> None:
        with written_whole(target) as partial:
            partial.write_bytes(b"fir")
            begun.set()
            time.sleep(0.2)
            with partial.open("ab") as file:
                file.write(b"st")

    thread = threading.Thread(target=slowly)
    thread.start()
    begun.wait()
    write_whole(target, b"second")
    thread.join()
    assert target.read_bytes() == b"second"
    monkeypatch.setattr(publish, "WAIT_SECONDS", 0.0)
    with written_whole(target), pytest.raises(OutputInUse, match="another process"):
        write_whole(target, b"third")
    assert names_in(tmp_path) == [target.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no fork server")
def test_a_worker_of_an_ended_command_publishes_nothing(tmp_path: Path) -> None:
    """Another command may have the lock by then, and have removed what the first one made."""
    script, target = tmp_path / "script.py", tmp_path / "out" / "a.json"
    target.parent.mkdir()
    script.write_text(
        textwrap.dedent("""
        import multiprocessing, os, sys
        from pathlib import Path

        def write_late(target):
            multiprocessing.parent_process().join()
            from fervid.storage.publish import write_whole
            write_whole(Path(target), b"late")

        if __name__ == "__main__":
            process = multiprocessing.get_context("forkserver").Process(target=write_late, args=(sys.argv[1],))
            process.start()
            os.kill(os.getpid(), 9)
        """)
    )
    done = subprocess.run(
        [sys.executable, script, target],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )  # the pipe is closed when the worker ends
    assert b"OutputInUse" in done.stderr, done.stderr.decode()
    assert names_in(target.parent) == []


def test_a_new_object_is_made_once(bucket: UPath) -> None:
    target = bucket / "lease"
    assert write_new(target, b"first")
    assert not write_new(target, b"second")
    assert target.read_bytes() == b"first"
    assert write_over(target, b"third", target.fs.info(target.path))
    assert target.read_bytes() == b"third"


def test_a_claim_keeps_others_out_where_nothing_is_replaced_on_condition(
    bucket: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fervid.storage import lease

    held = lease.Lease(bucket / "run")
    with pytest.raises(OutputInUse, match="in use by another run"):
        lease.Lease(bucket / "run")
    monkeypatch.setattr(lease, "_machine", lambda: "another machine")
    with pytest.raises(OutputInUse):
        lease.Lease(bucket / "run")
    monkeypatch.setattr(lease, "LEASE_SECONDS", -1.0)
    taken = lease.Lease(bucket / "run")
    held.renew()
    held.release()
    assert names_in(bucket) == [".run.lock"]
    taken.release()
    assert names_in(bucket) == []


def test_a_claim_whose_answer_was_lost_is_known_by_its_token(bucket: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    from fervid.storage import lease

    def answer_is_lost(target: UPath, content: bytes) -> bool:
        """The request arrives; its client asks again, and is told that there is such an object."""
        write_new(target, content)
        return write_new(target, content)

    monkeypatch.setattr(lease, "check_conditions", lambda _folder: None)
    monkeypatch.setattr(lease, "write_new", answer_is_lost)
    held = lease.Lease(bucket / "run")
    with pytest.raises(OutputInUse):
        lease.Lease(bucket / "run")
    held.release()
    assert names_in(bucket) == []


def test_a_store_that_ignores_conditions_is_refused(bucket: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    from fervid.storage import lease

    def ignores_conditions(target: UPath, content: bytes) -> bool:
        target.write_bytes(content)
        return True

    monkeypatch.setattr(lease, "_checked", set())
    monkeypatch.setattr(lease, "write_new", ignores_conditions)
    with pytest.raises(OutputError, match="two runs there would overwrite each other"):
        lease.Lease(bucket / "run")
    assert names_in(bucket) == []
    monkeypatch.setenv(lease.UNSAFE_STORE, "1")
    lease.Lease(bucket / "run").release()


def test_errors_of_stores_are_told_from_bugs() -> None:
    class NoCredentialsError(Exception):
        __module__ = "botocore.exceptions"

    class ClientError(Exception):
        __module__ = "botocore.exceptions"

    missing = FileNotFoundError("The specified key does not exist.")
    missing.__cause__ = ClientError()
    assert storage_error(ValueError("of our own")) is None
    assert storage_error(FileNotFoundError("on disk")) is None
    assert isinstance(storage_error(missing), InputError)
    refused = storage_error(NoCredentialsError("Unable to locate credentials"))
    assert isinstance(refused, OutputError)
    assert "Set its credentials" in str(refused)
    silent = storage_error(ClientError("Could not connect to the endpoint URL"))
    assert "the same command resumes" in str(silent)
