"""FER+: ten people's votes for each face of FER-2013, as a second target beside the official label.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution" (2016), `fer2013new.csv`. The votes join FER-2013 row by row. They do not replace its labels: the two
agree on only 64 % of the faces.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.errors import DatasetError
from fervid.train.data.fer2013 import FaceDataset

NOT_EMOTIONS = ("unknown", "NF")
FILE_NAME = "fer2013new.csv"


def load_votes(path: Path, dataset: FaceDataset) -> np.ndarray:
    """Votes float32 (N, 10) for the rows of `dataset`: the eight emotions, then unknown and not-a-face.

    Raises DatasetError when the file does not exist, lacks a column, or belongs to other rows.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path)
    except OSError as problem:
        raise DatasetError(
            f"{path} cannot be read ({problem.strerror}). Give FER+'s {FILE_NAME} with --ferplus."
        ) from None
    except ValueError as problem:  # pandas raises subclasses of ValueError for bad CSV
        raise DatasetError(f"{path} cannot be read as CSV ({problem}). Give FER+'s {FILE_NAME}.") from None
    columns = [*FERPLUS_EMOTIONS, *NOT_EMOTIONS]
    missing = [name for name in ("Usage", *columns) if name not in table.columns]
    if missing:
        raise DatasetError(f"{path} lacks the column {missing[0]!r} (it has {', '.join(map(str, table.columns))}).")
    if dataset.rows is None:
        raise DatasetError(
            f"the file names of {dataset.source} do not give the row number of each face, which is needed to join "
            "votes. Use the votes with fer2013.csv."
        )
    if len(table) <= dataset.rows.max(initial=-1):
        raise DatasetError(
            f"{path} has {len(table):,} rows, {dataset.source} has {dataset.rows.max() + 1:,}: votes join row by row. "
            "Use them with the complete fer2013.csv."
        )
    table = table.iloc[dataset.rows]
    other = np.flatnonzero(table["Usage"].to_numpy(dtype="U11") != dataset.usage)
    if len(other):
        row = int(other[0])
        theirs, ours = table["Usage"].iloc[row], dataset.usage[row]
        raise DatasetError(
            f"{path}, line {dataset.rows[row] + 2}: Usage is {theirs}, but {ours} in {dataset.source}. "
            "Use the votes with the CSV in its official order."
        )
    try:
        votes = table[columns].to_numpy(np.float32)
    except ValueError:
        votes = np.array([[np.nan]])
    if not (votes >= 0).all():  # NaN fails too
        raise DatasetError(f"{path} has votes that are not counts. Give FER+'s {FILE_NAME} as published.")
    return np.asarray(votes)


def is_no_face(votes: np.ndarray) -> np.ndarray:
    """Rows bool (N,) where more voters said that there is no face than anything else, from votes (N, 10).

    They include all rows that FER+ published without a file name, as not usable.
    """
    return np.asarray(votes[:, -1] > votes[:, :-1].max(axis=1, initial=0))


def is_unknown(votes: np.ndarray) -> np.ndarray:
    """Rows bool (N,) where "unknown" is the most frequent vote, from votes (N, 10)."""
    others = np.delete(votes, len(FERPLUS_EMOTIONS), axis=1)
    return np.asarray(votes[:, len(FERPLUS_EMOTIONS)] > others.max(axis=1, initial=0))


def vote_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Target distributions float32 (N, 8) over FERPLUS_EMOTIONS, and weights float32 (N,): 0 for faces without a usable
    vote.

    Single votes count as mistakes and are dropped, as in the reference reader of FER+; unknown and not-a-face are left
    out and the rest is scaled to one. A face whose most frequent vote is not an emotion has weight 0.
    """
    n = len(FERPLUS_EMOTIONS)
    kept = np.where(votes > 1, votes, 0)
    emotions, others = kept[:, :n], kept[:, n:]
    total = emotions.sum(axis=1)
    is_emotion = (total > 0) & (emotions.max(axis=1, initial=0) >= others.max(axis=1, initial=0))
    targets = np.divide(emotions, total[:, None], out=np.zeros_like(emotions), where=total[:, None] > 0)
    return targets.astype(np.float32), is_emotion.astype(np.float32)
