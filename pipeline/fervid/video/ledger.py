"""Counts what happened to every frame of a video. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Ledger:
    """Counts of the frames of one segment. frames = left_out + undecoded + decoded, and
    decoded = analysed + skipped + failed."""

    frames: int = 0
    """Frames in the segment, as far as any came to light: packets with a time of their own, else decoded frames."""
    left_out: int = 0
    """Frames of the intervals that the fast scan skipped."""
    undecoded: int = 0
    """Frames skipped on purpose: not sampled, and not needed by a sampled frame."""
    decoded: int = 0
    analysed: int = 0
    skipped: int = 0
    failed: int = 0
    """Frames that the decoder marked as corrupt; they are not classified."""
    packets: int = 0
    bad_packets: int = 0
    clock_jumps: int = 0
    """Frames whose time was missing or ran backwards, and was carried on from the frame before."""
    late_start_seconds: float = 0.0
    """Time before the first frame that decodes: a recording may start mid-GOP."""

    def balance(self) -> bool:
        return (
            self.frames == self.left_out + self.undecoded + self.decoded
            and self.decoded == self.analysed + self.skipped + self.failed
        )

    def reset(self) -> None:
        unused = Ledger()
        for name in self.__slots__:
            setattr(self, name, getattr(unused, name))

    def add(self, other: Ledger) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
