from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.emotion import make_classifier
from fervid.emotion.flip import MirrorAverage
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


@pytest.fixture(scope="module", params=["tiny_model", "two_headed_model", "combined_model"])
def classifiers(request: pytest.FixtureRequest) -> dict[str, Any]:
    info = load_model_info(request.getfixturevalue(request.param))
    return {name: make(info) for name, make in RUNNERS.items()}


@pytest.mark.parametrize("name", RUNNERS)
@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 40])
def test_any_number_of_faces_gives_one_row_of_logits_each(classifiers: dict[str, Any], name: str, n: int) -> None:
    logits = classifiers[name].predict(CROPS[:n])
    assert logits.shape == (n, classifiers[name].info.n_logits)
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


@pytest.mark.parametrize("name", RUNNERS)
def test_the_mirror_image_of_a_face_gives_the_same_mean(classifiers: dict[str, Any], name: str) -> None:
    mirrored = MirrorAverage(classifiers[name])
    found = mirrored.predict(CROPS)
    np.testing.assert_allclose(mirrored.predict(CROPS[:, :, ::-1]), found, atol=1e-5, rtol=0)
    assert np.abs(found - classifiers[name].predict(CROPS)).max() > 1e-3
    assert mirrored.predict(CROPS[:0]).shape == (0, classifiers[name].info.n_logits)


@pytest.mark.parametrize("runner", ["litert", "keras"])
def test_a_runner_is_made_with_and_without_the_mirror_image(tiny_model: Path, runner: str) -> None:
    info = load_model_info(tiny_model)
    plain, flipped = (make_classifier(runner, info, batch_size=8, flip=flip) for flip in (False, True))
    expected = (plain.predict(CROPS) + plain.predict(CROPS[:, :, ::-1])) / 2
    np.testing.assert_allclose(flipped.predict(CROPS), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("make", [LiteRTClassifier, KerasClassifier])
def test_files_of_another_network_are_refused(tiny_model: Path, make: Callable[[ModelInfo], Any]) -> None:
    info = load_model_info(tiny_model)
    with pytest.raises(ModelError, match="Export the model again"):
        make(replace(info, heads=(replace(info.heads[0], labels=info.labels[:5]),)))


@pytest.mark.parametrize(
    ("make", "described", "found"),
    [
        (LiteRTClassifier, "tiny_model", "two_headed_model"),
        (LiteRTClassifier, "two_headed_model", "tiny_model"),
        (KerasClassifier, "two_headed_model", "tiny_model"),
        (KerasClassifier, "combined_model", "two_headed_model"),
    ],
)
def test_files_of_a_model_with_other_heads_are_refused(
    request: pytest.FixtureRequest, make: Callable[[ModelInfo], Any], described: str, found: str
) -> None:
    info, other = (load_model_info(request.getfixturevalue(name)) for name in (described, found))
    with pytest.raises(ModelError, match="Export the model again"):
        make(replace(info, folder=other.folder))


def test_a_network_that_this_version_does_not_know_is_named(tiny_model: Path) -> None:
    info = load_model_info(tiny_model)
    with pytest.raises(ModelError, match="network 'vgg-99' does not exist"):
        KerasClassifier(replace(info, members=(replace(info.members[0], network="vgg-99"),)))


@pytest.mark.parametrize(("file", "make"), [("model.tflite", LiteRTClassifier), ("model.weights.h5", KerasClassifier)])
def test_a_file_that_is_no_network_is_refused(copied_model: Path, file: str, make: Callable[[ModelInfo], Any]) -> None:
    info = load_model_info(copied_model)
    (copied_model / file).write_bytes(b"nothing of the kind")
    with pytest.raises(ModelError, match="Export the model again"):
        make(info)
