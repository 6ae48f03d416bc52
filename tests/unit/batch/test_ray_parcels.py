"""How tasks travel: packed once while in flight, large ones through the object store, unpacked as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fervid.batch.engine import Report, Task
from fervid.batch.ray_parcels import INLINE_BYTES, Parcels, pack_report, unpack_report, unpack_task
from fervid.errors import InputError


class Store:
    """An object store: gives a number for bytes."""

    def __init__(self) -> None:
        self.objects: list[bytes] = []

    def put(self, content: bytes) -> int:
        self.objects.append(content)
        return len(self.objects) - 1

    def get(self, content: Any) -> bytes:
        """What a node is handed: the bytes themselves, or those that a number stands for."""
        return self.objects[content] if isinstance(content, int) else content


@pytest.mark.parametrize(
    ("arguments", "n_stored"),
    [
        ((), 0),
        ((b"",), 0),
        ((Path("/videos/a.mp4"), b"plan", 3), 0),
        ((Path("/videos/a.mp4"), bytes(INLINE_BYTES), 3), 0),
        ((Path("/videos/a.mp4"), bytes(INLINE_BYTES + 1), 3), 1),
        ((list(range(INLINE_BYTES)), b"plan"), 1),
    ],
)
def test_a_task_arrives_as_it_was_sent(arguments: tuple[Any, ...], n_stored: int) -> None:
    store, task = Store(), Task("observe", arguments, 60.0, 500)
    parcels = Parcels(store.put)
    head, contents = parcels.pack(task)
    assert unpack_task(head, tuple(map(store.get, contents))) == task
    assert len(store.objects) == n_stored
    parcels.release(task)
    assert len(parcels) == 0


def test_what_tasks_in_flight_share_is_packed_and_stored_once() -> None:
    store, plan, job = Store(), bytes(2 * INLINE_BYTES), {"path": "a.mp4"}
    tasks = [Task("observe", (job, plan, i)) for i in range(1000, 1010)]
    parcels = Parcels(store.put)
    packed = [parcels.pack(task) for task in tasks]
    assert len(store.objects) == 1
    assert len({id(contents[0]) for _, contents in packed}) == 1
    for task in tasks[:-1]:
        parcels.release(task)
    assert len(parcels) == 3
    parcels.release(tasks[-1])
    assert len(parcels) == 0
    parcels.pack(tasks[0])
    assert len(store.objects) == 2


def test_reports_come_back_and_errors_that_cannot_travel_say_so() -> None:
    for report in (Report(), Report(value={"faces": 3}), Report(crash="memory ran out")):
        assert unpack_report(pack_report(report)) == report
    error = unpack_report(pack_report(Report(error=InputError("a.mp4 is empty.")))).error
    assert isinstance(error, InputError)
    assert str(error) == "a.mp4 is empty."

    class Local(Exception):
        pass

    lost = unpack_report(pack_report(Report(error=Local("it broke")))).error
    assert "Local: it broke" in str(lost)
