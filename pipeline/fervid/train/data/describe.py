"""Describes a data set: counts, copies, contradictions, agreement with FER+. Uses no predictions.

Copies are images with equal pixels. Images of one face that differ by a grey level count as two; this is why fewer
copies are found in JPEG folders than in the CSV.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from fervid.train.data.agreement import NO_EMOTION, majority_codes
from fervid.train.data.duplicates import first_copies
from fervid.train.data.fer2013 import EMOTIONS, OFFICIAL_COUNTS, SPLITS, FaceDataset
from fervid.train.data.ferplus import is_no_face, is_unknown

CONSTANT_BELOW = 1.0
"""Standard deviation in grey levels below which an image counts as blank."""


@dataclass(frozen=True, slots=True)
class SplitDescription:
    """The rows of one split. Figures from FER+ are None without its votes.

    `extra_copies` are rows whose image occurs earlier in the same split. `no_face` and `unknown` are rows for which
    most voters of FER+ voted so; `ferplus_majority` are those where more than half of the voters named an emotion that
    FER-2013 has, and `ferplus_agreement` the share of them with the same label.
    """

    rows: int
    per_class: dict[str, int]
    extra_copies: int
    constant: int
    no_face: int | None
    unknown: int | None
    ferplus_majority: int | None
    ferplus_agreement: float | None


@dataclass(frozen=True, slots=True)
class DataDescription:
    """A data set: its splits, and the groups of rows whose images are equal.

    `copies_across` counts the rows of one split whose image also occurs in another: `PrivateTest in Training` and so
    on. A group is contradictory when its rows do not all have the same label.
    """

    source: str
    is_official: bool
    sha256: str
    splits: dict[str, SplitDescription]
    copy_groups: int
    extra_copies: int
    contradictory_groups: int
    contradictory_rows: int
    copies_across: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and dicts, for `json.dumps`."""
        return asdict(self)


def describe_dataset(dataset: FaceDataset, votes: np.ndarray | None = None) -> DataDescription:
    """Describe a data set; `votes` (N, 10) are FER+'s for its rows. Splits without rows are left out."""
    first = first_copies(dataset.images)
    sizes = np.bincount(first, minlength=len(first))
    # A row disagrees when its label is not that of the first row of its group.
    contradicts = np.unique(first[dataset.labels != dataset.labels[first]])
    present = [name for name in SPLITS if (dataset.usage == name).any()]
    return DataDescription(
        source=dataset.source,
        is_official=dataset.counts() == OFFICIAL_COUNTS,
        sha256=dataset.sha256(),
        splits={name: _describe_split(dataset, name, first, votes) for name in present},
        copy_groups=int((sizes > 1).sum()),
        extra_copies=int(len(first) - (sizes > 0).sum()),
        contradictory_groups=len(contradicts),
        contradictory_rows=int(np.isin(first, contradicts).sum()),
        copies_across={
            f"{later} in {earlier}": int(np.isin(first[dataset.usage == later], first[dataset.usage == earlier]).sum())
            for earlier, later in combinations(present, 2)
        },
    )


def _describe_split(dataset: FaceDataset, name: str, first: np.ndarray, votes: np.ndarray | None) -> SplitDescription:
    mask = dataset.usage == name
    images, labels = dataset.images[mask], dataset.labels[mask]
    deviation = images.reshape(len(images), -1).std(axis=1)
    majority = agreement = None
    if votes is not None:
        codes = majority_codes(votes[mask])
        named = codes != NO_EMOTION
        majority = int(named.sum())
        agreement = float((codes[named] == labels[named]).mean()) if majority else None
    return SplitDescription(
        rows=len(labels),
        per_class=dict(zip(EMOTIONS, dataset.counts()[name], strict=True)),
        extra_copies=len(labels) - len(np.unique(first[mask])),
        constant=int((deviation < CONSTANT_BELOW).sum()),
        no_face=None if votes is None else int(is_no_face(votes[mask]).sum()),
        unknown=None if votes is None else int(is_unknown(votes[mask]).sum()),
        ferplus_majority=majority,
        ferplus_agreement=agreement,
    )
