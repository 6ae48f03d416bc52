"""A video's plan: its packet index and its segments; passed between processes as bytes.

One step pickles it and the others unpickle it, so that the scheduling process needs none of its types.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass

from fervid.base.types import Segment, VideoInfo
from fervid.video.probe import PacketPlan


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """A probed video and the segments that it is observed in, in order."""

    info: VideoInfo
    packets: PacketPlan
    segments: tuple[Segment, ...]

    def pickled(self) -> bytes:
        """The plan as bytes, for `unpickled`."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def unpickled(pickled_plan: bytes) -> VideoPlan:
        """The plan from the bytes of `pickled`.

        The bytes are made by this run and passed only in memory, never read from a file that others could write.
        """
        content: VideoPlan = pickle.loads(pickled_plan)
        return content
