"""Small sets in the layouts of FER-2013, of drawn faces whose mouth, brows and eyes tell the emotion.

And a network that is as small: what takes the time of a short training is the tracing of each layer.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.emotion.networks.architectures import conv4
from fervid.emotion.networks.network import NETWORKS
from fervid.train.data.agreement import FERPLUS_LABELS
from fervid.train.data.fer2013 import EMOTIONS, SIDE_PX, FaceDataset
from fervid.train.data.ferplus import NOT_EMOTIONS

SMALL = "small"
NETWORKS[SMALL] = partial(conv4, widths=(8, 16), kernels=(3, 3), dense=(32,), dropout=0.0, dense_dropout=0.1)
"""Two convolutions and a dense layer. Known to this process, not to commands that a test starts."""

# Mouth curve, mouth opening and brow slant of each emotion, in the order of EMOTIONS.
SHAPES = ((-3, 1, 3), (-2, 3, 2), (-1, 5, -3), (5, 2, 0), (-5, 1, -2), (0, 8, -1), (0, 1, 0))


def draw_face(code: int, rng: np.random.Generator) -> np.ndarray:
    """One grey face uint8 (48, 48) with noise and a shift of up to 2 px."""
    curve, opening, slant = SHAPES[code]
    image = rng.normal(60, 8, (SIDE_PX, SIDE_PX))
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] - SIDE_PX / 2 + rng.uniform(-2, 2, (2, 1, 1))
    image[(x / 18) ** 2 + (y / 22) ** 2 < 1] += 110
    for side in (-1, 1):
        image[(x - side * 8) ** 2 + (y + 5) ** 2 < 6] -= 90
        image[(abs(x - side * 8) < 5) & (abs(y + 11 - side * slant * (x - side * 8) / 5) < 1.2)] -= 90
    image[(abs(x) < 9) & (abs(y - 11 - curve * (1 - (x / 9) ** 2) / 2) < 1 + opening / 2)] -= 90
    return np.clip(image, 0, 255).astype(np.uint8)


def draw_dataset(n_training: int = 140, n_public: int = 35, n_private: int = 28, seed: int = 0) -> FaceDataset:
    """Drawn faces of all classes in all splits."""
    rng = np.random.default_rng(seed)
    usage = np.array(["Training"] * n_training + ["PublicTest"] * n_public + ["PrivateTest"] * n_private, dtype="U11")
    labels = np.arange(len(usage), dtype=np.int64) % len(EMOTIONS)
    images = np.stack([draw_face(int(code), rng) for code in labels])
    return FaceDataset(images, labels, usage, "drawn faces", np.arange(len(usage)))


def draw_votes(dataset: FaceDataset, seed: int = 0) -> np.ndarray:
    """Ten votes a face, float32 (N, 10): seven for its label and three anywhere; all for contempt in every tenth."""
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(3, np.full(10, 0.1), len(dataset.labels)).astype(np.float32)
    votes[np.arange(len(votes)), [FERPLUS_LABELS.index(EMOTIONS[code]) for code in dataset.labels]] += 7
    votes[9::10] = 0
    votes[9::10, FERPLUS_LABELS.index("contempt")] = 10
    return votes


def write_votes(dataset: FaceDataset, votes: np.ndarray, path: Path) -> Path:
    """Write votes float32 (N, 10) as fer2013new.csv."""
    rows = (f"{split},,{','.join(str(int(n)) for n in row)}" for split, row in zip(dataset.usage, votes, strict=True))
    header = ",".join(["Usage", "Image name", *FERPLUS_EMOTIONS, *NOT_EMOTIONS])
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def write_csv(dataset: FaceDataset, path: Path) -> Path:
    """Write a set as fer2013.csv."""
    rows = (
        f"{label},{' '.join(map(str, image.ravel()))},{split}"
        for image, label, split in zip(dataset.images, dataset.labels, dataset.usage, strict=True)
    )
    path.write_text("emotion,pixels,Usage\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_folders(dataset: FaceDataset, root: Path) -> Path:
    """Write a set as the Kaggle folders, losslessly as PNG."""
    import cv2

    for i, (image, label, split) in enumerate(zip(dataset.images, dataset.labels, dataset.usage, strict=True)):
        folder = root / ("train" if split == "Training" else "test") / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(folder / f"{split}_{i:08d}.png"), image)
    return root
