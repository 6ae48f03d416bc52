"""Worker processes: what one does wrong costs its own task, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hostile
from fervid.batch.engine import Bug, Outcome, Task
from fervid.batch.pool import ProcessEngine, stop_workers
from fervid.errors import InputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits as Linux has them")

MEMORY_MIB = 600


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return hostile.environment(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def engine(surroundings: dict[str, str]) -> Iterator[ProcessEngine]:
    before = dict(os.environ)
    stop_workers()  # of other tests, whose fork server has other steps
    os.environ.update(surroundings)
    engine = ProcessEngine(2, memory_mib=MEMORY_MIB, tasks_per_worker=50)
    yield engine
    engine.close()
    os.environ.clear()
    os.environ.update(before)


def outcomes(engine: ProcessEngine, *tasks: Task) -> list[Outcome]:
    """What becomes of tasks, in their order."""
    waiting, found = list(tasks), {}
    deadline = time.monotonic() + 90
    while len(found) < len(tasks):
        assert time.monotonic() < deadline, f"only {found} ended"
        while waiting and engine.n_running < engine.n_workers:
            engine.submit(waiting.pop(0))
        found |= {id(event.task): event for event in engine.wait() if isinstance(event, Outcome)}
    return [found[id(task)] for task in tasks]


def test_a_task_ends_with_its_value(engine: ProcessEngine) -> None:
    found = outcomes(engine, *(Task("value", (i,)) for i in range(5)))
    assert [outcome.value[0] for outcome in found] == [0, 1, 2, 3, 4]
    assert os.getpid() not in {outcome.value[1] for outcome in found}


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM])
def test_a_crash_costs_its_own_task(engine: ProcessEngine, number: signal.Signals) -> None:
    crashed, *others = outcomes(engine, Task("crash", (int(number),)), *(Task("value", (i,)) for i in range(3)))
    assert crashed.crash == f"its process died ({number.name})"
    assert [outcome.value[0] for outcome in others] == [0, 1, 2]


def test_an_idle_worker_that_is_killed_is_replaced(engine: ProcessEngine) -> None:
    for _ in range(3):
        (first,) = outcomes(engine, Task("value", (1,)))
        os.kill(first.value[1], signal.SIGKILL)
        second = outcomes(engine, Task("value", (2,)), Task("value", (3,)))
        assert sorted(o.value[0] for o in second if not o.crash)[-1:] == [3]


@pytest.mark.parametrize("task", [Task("sleep", (60.0,), 1.0), Task("spin", (), 1.0)], ids=["asleep", "in C"])
def test_a_hang_is_ended(engine: ProcessEngine, task: Task) -> None:
    hung, other = outcomes(engine, task, Task("value", (1,)))
    assert hung.crash == "its process made no progress and was stopped"
    assert other.value[0] == 1


def test_too_much_memory_is_a_crash_and_enough_is_not(engine: ProcessEngine) -> None:
    hog, modest = outcomes(engine, Task("hog", (4 * MEMORY_MIB,)), Task("hog", (50,)))
    assert hog.crash == f"it needed more than {MEMORY_MIB} MiB of memory"
    assert modest.value == 50 << 20


def test_errors_arrive_as_they_are_and_bugs_are_told_apart(engine: ProcessEngine) -> None:
    refused, failed = outcomes(engine, Task("refuse", ()), Task("fail", ()))
    assert isinstance(refused.error, InputError)
    assert str(refused.error) == "this is no video. Give one."
    assert isinstance(failed.error, Bug)
    assert str(failed.error) == "ZeroDivisionError: a bug"


def test_a_worker_is_replaced_after_its_tasks(surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", surroundings["PYTHONPATH"])
    engine = ProcessEngine(1, memory_mib=MEMORY_MIB, tasks_per_worker=2)
    try:
        found = [outcomes(engine, Task("value", (i,)))[0].value[1] for i in range(4)]
    finally:
        engine.close()
    assert found[0] == found[1] != found[2] == found[3]


def test_no_process_outlives_a_killed_parent(surroundings: dict[str, str]) -> None:
    script = textwrap.dedent("""
        import os
        from fervid.batch.pool import ProcessEngine
        from fervid.batch.engine import Task
        engine = ProcessEngine(2, memory_mib=600, tasks_per_worker=9)
        engine.submit(Task("value", (1,)))
        engine.submit(Task("sleep", (60.0,)))
        while engine.n_running > 1:
            engine.wait()
        from multiprocessing import forkserver
        print(forkserver._forkserver._forkserver_pid, *(w.process.pid for w in engine._workers), flush=True)
        while True:
            engine.wait()
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | surroundings, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    server, *workers = map(int, process.stdout.readline().split())
    threads = {path.read_text().strip() for path in Path(f"/proc/{server}/task").glob("*/comm")}
    # Arrow's allocator has a thread that it restores after a fork by itself; any other would be missing in the forks.
    assert threads - {"jemalloc_bg_thd"} == {Path(sys.executable).name}
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while any(_is_alive(pid) for pid in (server, *workers)):
        assert time.monotonic() < deadline, "a process outlived its parent"
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_last_engine_of_a_process_stops_what_they_share() -> None:
    """A server of previews has two engines: the first to close must not leave the second with a server of nobody."""
    script = """
        from multiprocessing import forkserver
        from fervid.batch.engine import Outcome, Task
        from fervid.batch.pool import ProcessEngine

        def run(engine):
            engine.submit(Task("doctor-of-nothing", ()))
            while not any(isinstance(event, Outcome) for event in engine.wait()):
                pass

        def pid():
            return forkserver._forkserver._forkserver_pid

        first, second = (ProcessEngine(1, memory_mib=600, tasks_per_worker=5) for _ in range(2))
        run(first)
        first.close()
        assert pid() is not None
        run(second)
        second.close()
        assert pid() is None
        second.close()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
