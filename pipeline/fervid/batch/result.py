"""The result of one video of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fervid.storage.place import Place

if TYPE_CHECKING:
    from fervid.batch.job import Summary

COMPLETE, PARTIAL, REJECTED, CRASHED, SAME, GROWING = "complete", "partial", "rejected", "crashed", "same", "growing"


@dataclass(frozen=True, slots=True)
class Result:
    """The status of a video, with its summary if it was analysed, or the reason if not.

    `status` is `complete`, `partial`, `rejected` (it cannot be analysed), `crashed` (it crashed a worker process
    twice), `same` (a duplicate of a video in this batch) or `growing` (still being written).
    """

    path: Place
    status: str
    summary: Summary | None = None
    reason: str = ""
    error: Exception | None = None
    was_there: bool = False
    """Whether this is the result of an earlier run."""

    @property
    def is_fine(self) -> bool:
        """Whether everything requested is complete."""
        return self.status in (COMPLETE, SAME)


def verdict(results: dict[str, int], n_skipped: int) -> str:
    """One line: the number of videos by status. `results` counts those of this run."""
    named = {"ok": COMPLETE, "partial": PARTIAL, "rejected": REJECTED, "crashed": CRASHED}
    counts = [f"{results.get(status, 0)} {name}" for name, status in named.items()]
    return ", ".join([*counts, f"{n_skipped} skipped"])
