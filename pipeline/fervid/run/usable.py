"""Which faces are usable: the only definition of this rule. Knows nothing of tables or files.

A face is usable if its image is good enough: there is no reason against it, or only that its two best expressions are
close (`unsure`). Alerts, profiles, exports, summaries and live view count only usable faces, as the timeline does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

UNSURE = "unsure"
"""The one reason to abstain that is in the scores, not in the image: it says nothing against the face itself."""


def is_usable(abstain: str | None) -> bool:
    """Whether a face with this reason to abstain counts; None or "" where there is no reason."""
    return not abstain or abstain == UNSURE


def usable_faces(abstain: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Which faces of a column `abstain` count, bool (n,)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    reasons = pc.fill_null(abstain.cast(pa.string()), "")
    counts = pa.array([reason for reason in pc.unique(reasons).to_pylist() if is_usable(reason)], pa.string())
    return np.asarray(pc.is_in(reasons, value_set=counts).to_numpy(zero_copy_only=False), bool)
