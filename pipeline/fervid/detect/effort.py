"""The effort of a detector, and its threshold for a face."""

from __future__ import annotations

from typing import Literal

Effort = Literal["normal", "rough", "fine", "lenient"]
"""`rough` is quick and may add false boxes, each of which is looked at again. `fine` takes more time to be sure.

`lenient` is as thorough as `fine`, and content with less: for places where a face was seen before.
"""
