"""The worker process in which previews decode: with the caps, the watchdog and the sandbox of an analysis.

It may read the folders of the videos that it was given so far, and write into the folders of runs that are served.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fervid.batch.apart import Apart
from fervid.run.handle import Run


class Workshop:
    """One worker, started when it is first needed, and anew for a video in another folder. For one thread."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)
        self._folders: set[Path] = set()
        self._apart: Apart | None = None
        self._is_stopped = False

    def __call__(self, run: Run) -> Apart:
        """The worker that may decode the video of a run."""
        folder = Path(run.manifest.video_path).parent
        if self._apart is None or folder not in self._folders:
            self.close()
            self._folders.add(folder)
            self._apart = Apart(self._folders, self._roots)
            if self._is_stopped:
                self._apart.stop()
        return self._apart

    def stop(self) -> None:
        """Give up what another thread waits for."""
        self._is_stopped = True
        if self._apart is not None:
            self._apart.stop()

    def close(self) -> None:
        """End the worker, which has nothing to do."""
        if self._apart is not None:
            self._apart.__exit__()
            self._apart = None
