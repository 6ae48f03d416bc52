"""A video's plan: what its packets say and how it is cut into segments; it travels as bytes.

It is sealed by one step and opened by the others, so that the process which hands it on needs none of its types.
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

    def seal(self) -> bytes:
        """The plan as bytes, for `opened`."""
        return pickle.dumps(self, protocol=pickle.HIGHEST_PROTOCOL)

    @staticmethod
    def opened(sealed: bytes) -> VideoPlan:
        """The plan that `seal` made bytes of.

        They are made by this run and handed on in memory alone, never read from a file that others could write.
        """
        content: VideoPlan = pickle.loads(sealed)
        return content
