"""The named networks: what they are made of, and that the table builds each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.emotion.model import Head, Member, ModelInfo
from fervid.emotion.networks.network import (
    NETWORKS,
    add_ferplus_head,
    average_members,
    build_model,
    build_network,
    count_mmacs,
    load_backbone_weights,
    member_models,
)
from fervid.errors import ConfigError

SIZES = {
    # parameters and millions of multiply-accumulates, of the published definitions where there are any
    "res-xs": (693_631, 20.4),
    "res-s": (1_230_503, 36.1),
    "res-m": (2_762_743, 80.6),
    "res-l": (6_293_623, 176.2),
    "mini-xception": (58_423, 5.5),  # Arriaga's file has 58,423 weights
    "conv4-lite": (571_431, 27.5),
    "conv4-fc2": (4_476_743, 290.5),
    "blocks38": (3_093_799, 119.8),
}


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()


@pytest.mark.parametrize("name", SIZES)
def test_a_network_has_the_size_that_it_is_known_for(name: str) -> None:
    model = build_network(name, n_classes=7)
    assert (model.count_params(), round(count_mmacs(model), 1)) == SIZES[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_a_logit_a_class_in_float32(name: str) -> None:
    model = build_network(name, n_classes=3)
    assert model.input_shape == (None, 48, 48, 1)
    assert model.output_shape == (None, 3)
    assert str(model.output.dtype) == "float32"


def test_blocks38_has_38_layers_behind_the_standardised_input() -> None:
    assert len(build_network("blocks38", n_classes=7).layers) - 2 == 38


def test_inputs_are_standardised_inside_the_network() -> None:
    model = build_network("res-nano", n_classes=7, mean=0.4, std=0.2)
    grey = np.full((1, 48, 48, 1), 0.6, np.float32)
    np.testing.assert_allclose(model.get_layer("standardise")(grey).numpy(), 1.0, atol=1e-6)


def test_an_unknown_network_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match="network 'res-q' does not exist. Use one of res-nano, res-xs"):
        build_network("res-q", n_classes=7)


def test_a_backbone_takes_the_weights_of_a_file_that_fits(tmp_path: Path) -> None:
    first, second = (build_network("transfer-vgg16", n_classes=7) for _ in range(2))
    weights = tmp_path / "backbone.weights.h5"
    first.get_layer("vgg16").save_weights(weights)
    load_backbone_weights(second, weights)
    for one, two in zip(first.get_layer("vgg16").get_weights(), second.get_layer("vgg16").get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="network res-nano has no backbone"):
        load_backbone_weights(build_network("res-nano", n_classes=7), tmp_path / "any.h5")
    with pytest.raises(ConfigError, match="does not fit the backbone vgg16"):
        load_backbone_weights(build_network("transfer-vgg16", n_classes=7), tmp_path / "missing.weights.h5")


HEADED = [name for name in NETWORKS if name not in ("mini-xception", "transfer-vgg16", "transfer-resnet50")]


@pytest.mark.parametrize("name", HEADED)
def test_a_second_head_shares_the_features_and_its_variables_come_last(name: str) -> None:
    import keras

    def names(model: Any) -> list[tuple[str, tuple[int, ...]]]:
        """Paths without the numbers that Keras counts up."""
        return [(variable.path.split("/")[-1], tuple(variable.shape)) for variable in model.variables]

    single, both = build_network(name, n_classes=7), add_ferplus_head(build_network(name, n_classes=7))
    assert both.output_shape == (None, 15)
    assert names(both) == [*names(single), ("kernel", (both.get_layer("dropout").output.shape[-1], 8)), ("bias", (8,))]
    # Checkpoints of two outputs hold variables by their place.
    head = keras.layers.Dense(8, name="ferplus_logits")(single.get_layer("dropout").output)
    assert names(keras.Model(single.input, [single.output, head])) == names(both)


def test_logits_of_the_first_head_are_those_of_the_network_alone() -> None:
    single = build_network("res-nano", n_classes=7)
    both = add_ferplus_head(single)
    faces = np.random.default_rng(0).random((3, 48, 48, 1), np.float32)
    np.testing.assert_allclose(both(faces)[:, :7], single(faces), atol=1e-6)


def test_a_network_without_shared_features_takes_no_second_head() -> None:
    with pytest.raises(ConfigError, match="mini-xception has no features to attach a second head to"):
        add_ferplus_head(build_network("mini-xception", n_classes=7))


def made_up(*members: Member) -> ModelInfo:
    heads = Head("fer2013", tuple("abcdefg"), 1.0, 1.0), Head("ferplus", tuple("gfedcbah"), 1.0, 1.0)
    named = {name for member in members for name in member.heads}
    return ModelInfo("made-up", tuple(h for h in heads if h.name in named), members, 48, "", "", "", "", Path())


def test_a_member_is_built_with_its_own_heads_and_standardisation() -> None:
    single = Member("res-nano", ("fer2013",), mean=0.4, std=0.2)
    both = Member("res-nano", ("fer2013", "ferplus"), mean=0.5, std=0.25)
    assert build_model(made_up(single)).output_shape == (None, 7)
    assert build_model(made_up(both)).output_shape == (None, 15)
    info = made_up(single, both, both)
    model = build_model(info)
    assert model.output_shape == (None, 15)
    grey = np.full((1, 48, 48, 1), 0.6, np.float32)
    standardised = [float(m.get_layer("standardise")(grey)[0, 0, 0, 0]) for m in member_models(model, info)]
    assert standardised == pytest.approx([1.0, 0.4, 0.4], abs=1e-5)
    assert count_mmacs(model) == pytest.approx(3 * count_mmacs(build_network("res-nano", n_classes=7)), rel=0.01)


def test_an_ensemble_is_the_mean_of_the_members_that_have_a_head() -> None:
    members = [Member("res-nano", heads, 0.5, 0.25) for heads in (("fer2013",), *[("fer2013", "ferplus")] * 2)]
    info = made_up(*members)
    models = [build_model(made_up(member)) for member in members]
    faces = np.random.default_rng(0).random((3, 48, 48, 1), np.float32)
    one, two, three = (np.asarray(model(faces)) for model in models)
    expected = np.concatenate([(one + two[:, :7] + three[:, :7]) / 3, (two[:, 7:] + three[:, 7:]) / 2], axis=1)
    np.testing.assert_allclose(average_members(models, info.members, info.heads)(faces), expected, atol=1e-6)
