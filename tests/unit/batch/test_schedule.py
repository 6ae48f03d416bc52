"""Which step runs when: segments spread out, longest wait first, suspects alone at the end, and no step twice."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fervid.batch.engine import Bug, Outcome, Progress, Task
from fervid.batch.job import BeginResult, Observed, Planned
from fervid.batch.result import CRASHED, REJECTED, Result
from fervid.batch.schedule import MAX_SUSPECTS, Listener, Scheduler
from fervid.errors import InputError, OutputError
from fervid.storage.lock import locked


class PaperEngine:
    """Runs no step: `answer` says how each ends, `batches` how many tasks ran at once and which."""

    def __init__(self, n_workers: int, answer: Any, *, prefers_few_tasks: bool = False) -> None:
        self.n_workers, self._answer, self.prefers_few_tasks = n_workers, answer, prefers_few_tasks
        self._running: list[Task] = []
        self.log: list[str] = []
        self.beside: list[int] = []

    @property
    def n_running(self) -> int:
        return len(self._running)

    def submit(self, task: Task) -> None:
        assert self.n_running < self.n_workers
        self._running.append(task)
        self.log.append(name(task))
        self.beside.append(self.n_running)

    def wait(self) -> list[Progress | Outcome]:
        task = self._running.pop(0)
        return [Progress(task, 1.0), Outcome(task, **self._answer(task, self.log.count(name(task))))]

    def close(self) -> None:
        pass


class Heard(Listener):
    def __init__(self) -> None:
        self.ends: list[tuple[str, str]] = []
        self.reasons: list[str] = []

    def ended(self, job: Any, result: Result) -> None:
        self.ends.append((job.path.name, result.status))
        self.reasons.append(result.reason)


class Given:
    """Jobs in a row."""

    def __init__(self, folder: Path, *names: str, plot: bool = False) -> None:
        limits = SimpleNamespace(batch=SimpleNamespace(stall_seconds=60.0))
        method = SimpleNamespace(settings=limits)
        self._jobs: deque[Any] = deque(
            SimpleNamespace(path=Path(name), video_id=name, folder=folder / name, method=method, plot=plot)
            for name in names
        )

    def take(self) -> Any:
        return self._jobs.popleft() if self._jobs else None

    @property
    def is_exhausted(self) -> bool:
        return not self._jobs


def name(task: Task) -> str:
    """A task in short, as `observe a 0`."""
    segment = f" {task.arguments[2]}" if task.step.startswith("observe") else ""
    return f"{task.step} {task.arguments[0].path}{segment}"


def sound(task: Task, _nth: int = 1, *, n_segments: int = 3) -> dict[str, Any]:
    """How a step ends where nothing is wrong."""
    values = {
        "plan": Planned(10.0 * n_segments, (10.0,) * n_segments, tuple(range(n_segments)), b""),
        "begin": BeginResult(Planned(10.0 * n_segments, (10.0,) * n_segments, tuple(range(n_segments)), b"")),
        "observe": Observed({"decode": 1.0}, 10.0, 5),
        "finish": {"status": "complete"},
        "draw": None,
    }
    if task.step == "observe_several":
        return {"value": [values["observe"]] * len(task.arguments[2])}
    return {"value": values[task.step]}


def run(engine: PaperEngine, jobs: Given) -> Heard:
    heard = Heard()
    Scheduler(engine, jobs, heard).run()
    return heard


def test_no_jobs_are_no_steps(tmp_path: Path) -> None:
    engine = PaperEngine(2, sound)
    assert run(engine, Given(tmp_path)).ends == []
    assert engine.log == []


def test_segments_of_one_video_spread_over_all_workers(tmp_path: Path) -> None:
    engine = PaperEngine(3, sound)
    assert run(engine, Given(tmp_path, "a")).ends == [("a", "complete")]
    assert engine.log == ["plan a", "observe a 0", "observe a 1", "observe a 2", "finish a"]
    assert engine.beside == [1, 1, 2, 3, 1]


def test_a_short_video_is_one_task_where_tasks_are_dear_and_a_long_one_its_segments(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        if task.step == "begin" and str(task.arguments[0].path) == "short":
            plan, observed = Planned(10.0, (10.0,), (0,), b""), Observed({"decode": 1.0}, 10.0, 5)
            return {"value": BeginResult(plan, (observed,), {"status": "complete"})}
        return sound(task, nth, n_segments=2)

    engine = PaperEngine(1, answer, prefers_few_tasks=True)
    heard = run(engine, Given(tmp_path, "short", "long", "last", plot=True))
    assert heard.ends == [("short", "complete"), ("long", "complete"), ("last", "complete")]
    assert engine.log[:2] == ["begin short", "draw short"]
    assert engine.log[2:6] == ["begin long", "observe_several long (0, 1)", "finish long", "draw long"]
    assert engine.log[6:] == ["begin last", "observe last 0", "observe last 1", "finish last", "draw last"]


def test_a_long_video_goes_out_in_stretches_that_become_shorter_towards_the_end(tmp_path: Path) -> None:
    engine = PaperEngine(1, lambda task, nth: sound(task, nth, n_segments=30), prefers_few_tasks=True)
    assert run(engine, Given(tmp_path, "a", "b")).ends == [("a", "complete"), ("b", "complete")]
    stretch, rest = tuple(range(24)), tuple(range(24, 30))  # of ten seconds each
    assert engine.log[:4] == ["begin a", f"observe_several a {stretch}", f"observe_several a {rest}", "finish a"]
    lengths = [line.count(",") + 1 for line in engine.log[5:-1]]
    assert lengths == [15, 7, 4, 2, 1, 1]
    assert engine.log[-2:] == ["observe b 29", "finish b"]


def test_of_a_stretch_that_is_lost_only_the_segment_to_blame_costs_its_video(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        if task.step == "observe_several" or name(task) == "observe a 2":
            return {"crash": "died"}
        return sound(task, nth, n_segments=4)

    engine = PaperEngine(1, answer, prefers_few_tasks=True)
    heard = run(engine, Given(tmp_path, "a", "b"))
    assert sorted(heard.ends) == [("a", CRASHED), ("b", "complete")]
    assert engine.log[1:6] == ["observe_several a (0, 1, 2, 3)", *(f"observe a {i}" for i in range(4))]
    assert engine.log[-1] == "observe a 2"
    assert "observing it from 20 s on failed twice" in heard.reasons[-1]


def test_a_short_video_that_is_lost_twice_is_given_up(tmp_path: Path) -> None:
    engine = PaperEngine(2, lambda task, _: {"crash": "died"} if task.step == "begin" else sound(task))
    engine.prefers_few_tasks = True
    heard = run(engine, Given(tmp_path, "a"))
    assert heard.ends == [("a", CRASHED)]
    assert "analysing it failed twice" in heard.reasons[0]


def test_a_begun_video_is_finished_before_the_next_is_begun(tmp_path: Path) -> None:
    engine = PaperEngine(1, sound)
    run(engine, Given(tmp_path, "a", "b"))
    half = len(engine.log) // 2
    assert {entry.split()[1] for entry in engine.log[:half]} == {"a"}
    assert {entry.split()[1] for entry in engine.log[half:]} == {"b"}


def test_no_worker_waits_while_there_is_work(tmp_path: Path) -> None:
    engine = PaperEngine(2, sound)
    run(engine, Given(tmp_path, "a", "b", "c"))
    assert engine.log[:2] == ["plan a", "plan b"]
    assert len(engine.log) == len(set(engine.log)) == 15
    assert engine.beside.count(1) <= 2


def test_a_picture_is_drawn_after_the_result_was_told_and_its_loss_costs_nothing(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"crash": "it died"} if task.step == "draw" else sound(task, nth)

    engine = PaperEngine(1, answer)
    assert run(engine, Given(tmp_path, "a", plot=True)).ends == [("a", "complete")]
    assert engine.log.count("draw a") == 2


def test_a_lost_segment_is_tried_again_alone_when_nothing_else_is_left(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"crash": "it died"} if name(task) == "observe a 1" and nth == 1 else sound(task, nth)

    engine = PaperEngine(2, answer)
    assert sorted(run(engine, Given(tmp_path, "a", "b")).ends) == [("a", "complete"), ("b", "complete")]
    second = len(engine.log) - 1 - engine.log[::-1].index("observe a 1")
    assert engine.log[second - 1] == "finish b"
    assert engine.beside[second] == 1
    assert engine.log[second + 1 :] == ["finish a"]


def test_a_segment_that_is_lost_twice_costs_its_video_and_no_other(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"crash": "its process died (SIGSEGV)"} if name(task) == "observe a 1" else sound(task, nth)

    engine = PaperEngine(2, answer)
    heard = run(engine, Given(tmp_path, "a", "b"))
    assert heard.ends == [("b", "complete"), ("a", CRASHED)]
    assert heard.reasons[1].startswith(
        "a: observing it from 10 s on failed twice, the second time in isolation: its process"
    )
    assert engine.log.count("observe a 1") == 2
    assert "finish a" not in engine.log


def test_many_suspects_are_not_kept_to_the_end(tmp_path: Path) -> None:
    names = [f"v{i:02d}" for i in range(3 * MAX_SUSPECTS)]

    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"crash": "it died"} if task.step == "observe" else sound(task, nth, n_segments=1)

    engine = PaperEngine(2, answer)
    heard = run(engine, Given(tmp_path, *names))
    assert sorted(heard.ends) == [(video, CRASHED) for video in names]
    first_second_try = next(i for i, entry in enumerate(engine.log) if entry in engine.log[:i])
    assert len([entry for entry in engine.log[:first_second_try] if entry.startswith("observe")]) <= MAX_SUSPECTS + 1
    assert not list(tmp_path.glob(".*.lock"))


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (InputError("a is no video. Give one."), REJECTED, "a is no video. Give one."),
        (Bug("ZeroDivisionError: x", "..."), CRASHED, "a: internal error: ZeroDivisionError: x"),
    ],
)
@pytest.mark.parametrize("step", ["plan", "observe", "finish"])
def test_an_error_costs_its_video_at_once(tmp_path: Path, error: Exception, status: str, says: str, step: str) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"error": error} if name(task).startswith(f"{step} a") else sound(task, nth)

    engine = PaperEngine(2, answer)
    heard = run(engine, Given(tmp_path, "a", "b"))
    assert sorted(heard.ends) == sorted([("a", status), ("b", "complete")])
    assert says in heard.reasons
    assert "finish a" not in engine.log or step == "finish"


def test_an_output_that_cannot_be_written_stops_the_run_and_frees_its_locks(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"error": OutputError("the disk is full")} if name(task) == "observe a 1" else sound(task, nth)

    engine = PaperEngine(2, answer)
    with pytest.raises(OutputError, match="the disk is full"):
        run(engine, Given(tmp_path, "a", "b"))
    assert "finish a" not in engine.log
    assert not list(tmp_path.glob(".*.lock"))


def test_a_video_that_another_run_works_on_is_left_to_it(tmp_path: Path) -> None:
    engine = PaperEngine(1, sound)
    with locked(tmp_path / "a"):
        heard = run(engine, Given(tmp_path, "a", "b"))
    assert heard.ends == [("a", REJECTED), ("b", "complete")]
    assert "in use by another run" in heard.reasons[0]


def test_a_video_whose_segments_are_all_there_is_only_finished(tmp_path: Path) -> None:
    def answer(task: Task, nth: int) -> dict[str, Any]:
        return {"value": Planned(30.0, (30.0,), (), b"")} if task.step == "plan" else sound(task, nth)

    engine = PaperEngine(2, answer)
    assert run(engine, Given(tmp_path, "a")).ends == [("a", "complete")]
    assert engine.log == ["plan a", "finish a"]
