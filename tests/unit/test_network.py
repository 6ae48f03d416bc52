"""The named networks: what they are made of, and that the table builds each of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.errors import ConfigError
from fervid.train.network import NETWORKS, build_network, count_mmacs, load_backbone_weights

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
def keras() -> Any:
    from fervid.backend import load_tensorflow

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
