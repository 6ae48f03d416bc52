"""What runs a step about a run in another process. Knows no process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Elsewhere(Protocol):
    """Runs steps by name, as `fervid.batch.apart` does."""

    def run(self, step: str, *arguments: Any, video: Path, reached: Callable[[float], None] | None = None) -> Any:
        """What a step gives back. Raises its error, or InputError when decoding the video fails twice.

        `reached` hears how far it has come, in seconds of video.
        """
        ...
