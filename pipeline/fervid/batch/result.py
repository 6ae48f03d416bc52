"""What became of one video of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fervid.storage.place import Place

if TYPE_CHECKING:
    from fervid.batch.job import Summary

COMPLETE, PARTIAL, REJECTED, CRASHED, SAME, GROWING = "complete", "partial", "rejected", "crashed", "same", "growing"


@dataclass(frozen=True, slots=True)
class Result:
    """How a video ended, with its summary where it was analysed, or the reason why not.

    `status` is `complete`, `partial`, `rejected` (it cannot be analysed), `crashed` (it took a worker process with it,
    twice), `same` (another name of a video of this batch) or `growing` (still being written).
    """

    path: Place
    status: str
    summary: Summary | None = None
    reason: str = ""
    error: Exception | None = None
    was_there: bool = False
    """Whether this was found out by an earlier run."""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is missing that was asked for."""
        return self.status in (COMPLETE, SAME)


def verdict(results: dict[str, int], n_skipped: int) -> str:
    """One line: how many videos ended in which way. `results` counts those of this run by status."""
    named = {"ok": COMPLETE, "partial": PARTIAL, "rejected": REJECTED, "crashed": CRASHED}
    counts = [f"{results.get(status, 0)} {name}" for name, status in named.items()]
    return ", ".join([*counts, f"{n_skipped} skipped"])
