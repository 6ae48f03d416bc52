from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.emotion.keras import KerasClassifier
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import ModelInfo, load_model_info
from fervid.errors import ModelError

RUNNERS: dict[str, Callable[[ModelInfo], Any]] = {
    "litert": LiteRTClassifier,
    "litert-2-threads": lambda info: LiteRTClassifier(info, num_threads=2),
    "keras": lambda info: KerasClassifier(info, batch_size=16),
}
CROPS = draw_dataset(40, 0, 0, seed=5).images


@pytest.fixture(scope="module")
def classifiers(tiny_model: Path) -> dict[str, Any]:
    info = load_model_info(tiny_model)
    return {name: make(info) for name, make in RUNNERS.items()}


@pytest.mark.parametrize("name", RUNNERS)
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 40])
def test_any_number_of_faces_gives_one_row_of_logits_each(classifiers: dict[str, Any], name: str, n: int) -> None:
    logits = classifiers[name].predict(CROPS[:n])
    assert logits.shape == (n, 7)
    assert logits.dtype == np.float32
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("name", RUNNERS)
@pytest.mark.parametrize("group", [1, 3, 16, 39])
def test_logits_do_not_depend_on_the_grouping_of_faces(classifiers: dict[str, Any], name: str, group: int) -> None:
    whole = classifiers[name].predict(CROPS)
    parts = [classifiers[name].predict(CROPS[i : i + group]) for i in range(0, len(CROPS), group)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", RUNNERS)
def test_logits_do_not_depend_on_what_was_classified_before(classifiers: dict[str, Any], name: str) -> None:
    first = classifiers[name].predict(CROPS[:5])
    classifiers[name].predict(255 - CROPS)
    np.testing.assert_array_equal(classifiers[name].predict(CROPS[:5]), first)


@pytest.mark.parametrize("name", RUNNERS)
def test_the_given_crops_are_left_alone(classifiers: dict[str, Any], name: str) -> None:
    crops = CROPS.copy()
    crops.setflags(write=False)
    classifiers[name].predict(crops)
    np.testing.assert_array_equal(crops, CROPS)


@pytest.mark.parametrize("name", RUNNERS)
def test_all_runners_agree(classifiers: dict[str, Any], name: str) -> None:
    reference = classifiers["litert"].predict(CROPS)
    assert reference.std() > 0.01  # a constant would agree with anything
    np.testing.assert_allclose(classifiers[name].predict(CROPS), reference, atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", [LiteRTClassifier, KerasClassifier])
def test_files_of_another_network_are_refused(tiny_model: Path, make: Callable[[ModelInfo], Any]) -> None:
    info = load_model_info(tiny_model)
    with pytest.raises(ModelError, match="Export the model again"):
        make(replace(info, labels=info.labels[:5]))


def test_a_network_that_this_version_does_not_know_is_named(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="network 'vgg-99' does not exist"):
        KerasClassifier(replace(load_model_info(tiny_model), network="vgg-99"))


@pytest.mark.parametrize(("file", "make"), [("model.tflite", LiteRTClassifier), ("model.weights.h5", KerasClassifier)])
def test_a_file_that_is_no_network_is_refused(copied_model: Path, file: str, make: Callable[[ModelInfo], Any]) -> None:
    info = load_model_info(copied_model)
    (copied_model / file).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="Export the model again"):
        make(info)
