"""Batches filled from many threads, and batches halved when a device's memory runs out."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.emotion.batching import BatchQueue
from fervid.emotion.keras import MIXED, KerasClassifier, SharedGpuClassifier
from fervid.emotion.model import load_model_info
from fervid.errors import ModelError

CROPS = draw_dataset(40, 0, 0, seed=5).images


class Recorder:
    """One logit a crop: its first pixel. The first call waits until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.is_busy, self.go = threading.Event(), threading.Event()

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        self.sizes.append(len(crops))
        if len(self.sizes) == 1:
            self.is_busy.set()
            assert self.go.wait(10)
        return crops[:, 0, :1].astype(np.float32)


def numbered(first: int, n: int) -> np.ndarray:
    return np.broadcast_to(np.arange(first, first + n, dtype=np.uint8)[:, None, None], (n, 4, 4))


@pytest.mark.parametrize(
    ("counts", "batch_size", "sizes"),
    [
        ([], 8, [1]),
        ([3], 8, [1, 3]),
        ([3, 3, 2], 8, [1, 8]),
        ([3, 3, 3], 8, [1, 6, 3]),
        ([20, 1], 8, [1, 20, 1]),
    ],
)
def test_what_waits_while_the_device_works_is_one_batch(counts: list[int], batch_size: int, sizes: list[int]) -> None:
    predict = Recorder()
    batches = BatchQueue(predict, batch_size=batch_size)
    blocker = batches.submit(numbered(200, 1))
    assert predict.is_busy.wait(10)
    firsts = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    futures = [batches.submit(numbered(int(first), n)) for first, n in zip(firsts, counts, strict=False)]
    predict.go.set()
    for first, n, future in zip(firsts, counts, futures, strict=False):
        np.testing.assert_array_equal(future.result(10)[:, 0], np.arange(first, first + n))
    assert blocker.result(10)[0, 0] == 200
    batches.close()
    assert predict.sizes == sizes
    with pytest.raises(RuntimeError, match="closed"):
        batches.submit(numbered(0, 1))


def test_an_error_reaches_all_whose_crops_were_in_the_batch_and_no_other() -> None:
    def predict(crops: np.ndarray) -> np.ndarray:
        if (crops == 7).any():
            raise ValueError("seven")
        return crops[:, 0, :1].astype(np.float32)

    batches = BatchQueue(predict, batch_size=4)
    with pytest.raises(ValueError, match="seven"):
        batches.predict(numbered(7, 2))
    assert len(batches.predict(numbered(1, 2))) == 2
    batches.close()


def memory_for(classifier: KerasClassifier, n_faces: int) -> Callable[[np.ndarray], Any]:
    """The classifier's network on a device that holds so many faces at a time: TensorFlow's own error above."""
    from tensorflow.errors import ResourceExhaustedError

    real = classifier._on_bytes.predict_on_batch

    def predict(batch: np.ndarray) -> Any:
        if len(batch) > n_faces:
            raise ResourceExhaustedError(None, None, f"OOM when allocating tensor with shape[{len(batch)},48,48,32]")
        return real(batch)

    return predict


def test_out_of_memory_halves_the_batch_and_loses_no_face(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    classifier = KerasClassifier(load_model_info(tiny_model), batch_size=32)
    expected = classifier.predict(CROPS)
    monkeypatch.setattr(classifier._on_bytes, "predict_on_batch", memory_for(classifier, 10))
    with caplog.at_level(logging.WARNING):
        np.testing.assert_allclose(classifier.predict(CROPS), expected, atol=1e-5, rtol=0)
    assert classifier.batch_size == 8
    own = [record.getMessage() for record in caplog.records if record.name.startswith("fervid")]
    assert [message.split(":")[1].split()[3] for message in own] == ["16", "8"]


def test_a_device_without_memory_for_one_face_is_one_clear_error(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = KerasClassifier(load_model_info(tiny_model), batch_size=4)
    monkeypatch.setattr(classifier._on_bytes, "predict_on_batch", memory_for(classifier, 0))
    with pytest.raises(ModelError, match="no memory for one face .*--device cpu"):
        classifier.predict(CROPS)


def test_errors_of_another_kind_are_not_taken_for_a_lack_of_memory(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = KerasClassifier(load_model_info(tiny_model), batch_size=4)

    def fail(_: np.ndarray) -> None:
        raise ValueError("something else")

    monkeypatch.setattr(classifier._on_bytes, "predict_on_batch", fail)
    with pytest.raises(ValueError, match="something else"):
        classifier.predict(CROPS)
    assert classifier.batch_size == 4


def test_threads_share_one_network_in_mixed_precision_and_get_their_own_logits(tiny_model: Path) -> None:
    info = load_model_info(tiny_model)
    expected = KerasClassifier(info).predict(CROPS)
    parts = [CROPS[i : i + 10] for i in range(0, len(CROPS), 10)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda crops: SharedGpuClassifier(info).predict(crops), parts))
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-2, rtol=0)
    assert SharedGpuClassifier(info).predict(CROPS[:0]).shape == (0, info.n_logits)
    assert SharedGpuClassifier(info)._queue is SharedGpuClassifier(info)._queue
    assert KerasClassifier(info, precision=MIXED).network.layers[-1].compute_dtype in ("float32", "float16")
