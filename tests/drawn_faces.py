"""Small sets in the layouts of FER-2013, of drawn faces whose mouth, brows and eyes tell the emotion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fervid.train.fer2013 import EMOTIONS, SIDE_PX, FaceDataset

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
    return FaceDataset(images, labels, usage, "drawn faces")


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
