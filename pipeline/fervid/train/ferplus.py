"""FER+: ten people's votes for each face of FER-2013, as a second target beside the official label.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution" (2016), `fer2013new.csv`. The votes join FER-2013 row by row. They do not replace its labels: the two
agree on 64 % of the faces only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fervid.errors import DatasetError
from fervid.train.fer2013 import FaceDataset

FERPLUS_EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
NOT_EMOTIONS = ("unknown", "NF")
FILE_NAME = "fer2013new.csv"


def load_votes(path: Path, dataset: FaceDataset) -> np.ndarray:
    """Votes float32 (N, 10) for the rows of `dataset`: the eight emotions, then unknown and not-a-face.

    Raises DatasetError when the file is not there, lacks a column, or belongs to other rows.
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
    if len(table) != len(dataset.usage):
        raise DatasetError(
            f"{path} has {len(table):,} rows, {dataset.source} has {len(dataset.usage):,}: votes join row by row. "
            "Use them with the complete fer2013.csv."
        )
    other = np.flatnonzero(table["Usage"].to_numpy(dtype="U11") != dataset.usage)
    if len(other):
        row = int(other[0])
        theirs, ours = table["Usage"].iloc[row], dataset.usage[row]
        raise DatasetError(
            f"{path}, line {row + 2}: Usage is {theirs}, but {ours} in {dataset.source}. "
            "Use the votes with the CSV in its official order."
        )
    return np.asarray(table[columns].to_numpy(np.float32))


def vote_targets(votes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Target distributions float32 (N, 8) over FERPLUS_EMOTIONS, and weights float32 (N,): 0 where nothing is left.

    Single votes count as slips and are dropped, as in the reference reader of FER+; unknown and not-a-face are left out
    and the rest is scaled to one. A face whose most frequent vote is not an emotion has weight 0.
    """
    n = len(FERPLUS_EMOTIONS)
    kept = np.where(votes > 1, votes, 0)
    emotions, others = kept[:, :n], kept[:, n:]
    total = emotions.sum(axis=1)
    is_emotion = (total > 0) & (emotions.max(axis=1, initial=0) >= others.max(axis=1, initial=0))
    targets = np.divide(emotions, total[:, None], out=np.zeros_like(emotions), where=total[:, None] > 0)
    return targets.astype(np.float32), is_emotion.astype(np.float32)
