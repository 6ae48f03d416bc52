"""`fervid.runtime.tflite` writes networks that LiteRT runs as they were meant; CenterFace's is one of them."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.opencv import cv2
from fervid.detect.centerface import CenterFaceDetector, read_weights
from fervid.detect.centerface_network import gray_network
from fervid.runtime.litert import open_network
from fervid.runtime.tflite import Layer, NetworkWriter
from synthetic import moving_face

HEAT, SIZE, OFFSET, LANDMARKS = "537", "538", "539", "540"
RNG = np.random.default_rng(3)


def answer(content: bytes, entry: np.ndarray) -> list[np.ndarray]:
    network = open_network(content)
    network.set_tensor(network.get_input_details()[0]["index"], entry)
    network.invoke()
    return [network.get_tensor(output["index"]) for output in network.get_output_details()]


def convolved(picture: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """By hand: (1, h, w, c) with kernels (out, k, k, c), zeros around it."""
    margin = kernel.shape[1] // 2
    padded = np.pad(picture[0], ((margin, margin), (margin, margin), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[1:3], axis=(0, 1))[::stride, ::stride]
    return np.einsum("ijcab,oabc->ijo", windows, kernel)[None]


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(6, 8), (5, 9)])
def test_a_convolution_pads_alike_on_every_side(size: tuple[int, int], stride: int) -> None:
    picture = RNG.normal(size=(1, *size, 2)).astype(np.float32)
    kernel, bias = RNG.normal(size=(4, 3, 3, 2)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
    writer = NetworkWriter(*size, 2)
    layer = writer.convolution(writer.input, kernel, bias, stride=stride)
    (found,) = answer(writer.content([layer]), picture)
    assert found.shape == layer.shape
    np.testing.assert_allclose(found, convolved(picture, kernel, stride) + bias, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_takes_each_channel_by_itself(stride: int) -> None:
    picture = RNG.normal(size=(1, 6, 6, 3)).astype(np.float32)
    kernel, bias = RNG.normal(size=(1, 3, 3, 3)).astype(np.float32), np.zeros(3, np.float32)
    writer = NetworkWriter(6, 6, 3)
    (found,) = answer(writer.content([writer.depthwise(writer.input, kernel, bias, stride=stride, relu=True)]), picture)
    by_hand = [convolved(picture[..., [c]], kernel[..., [c]], stride)[..., 0] for c in range(3)]
    np.testing.assert_allclose(found, np.maximum(np.stack(by_hand, axis=-1), 0), atol=1e-4)


def test_sums_squares_of_pixels_and_several_outputs() -> None:
    picture = RNG.normal(size=(1, 2, 3, 8)).astype(np.float32)
    writer = NetworkWriter(2, 3, 8)
    large = writer.depth_to_space(writer.input)
    outputs: list[Layer] = [writer.add(large, large), writer.sigmoid(large)]
    twice, likely = answer(writer.content(outputs), picture)
    expected = picture[0].reshape(2, 3, 2, 2, 2).transpose(0, 2, 1, 3, 4).reshape(1, 4, 6, 2)
    np.testing.assert_allclose(twice, 2 * expected, rtol=1e-6)
    np.testing.assert_allclose(likely, 1 / (1 + np.exp(-expected)), atol=1e-5)


@pytest.mark.parametrize("size", [(96, 128), (192, 256)])
def test_the_network_answers_as_the_published_one(size: tuple[int, int]) -> None:
    weights = np.frombuffer(read_weights(), np.uint8)
    picture = cv2.resize(moving_face(0.3), (size[1], size[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    published = cv2.dnn.readNetFromONNX(weights)
    published.setInput(np.repeat(picture[None, None], 3, axis=1))
    expected = published.forward([HEAT, SIZE, OFFSET, LANDMARKS])
    found = answer(gray_network(weights, *size), picture[None, ..., None])
    assert expected[0].max() > 0.5, "the picture shows a face"
    for own, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(own[0].transpose(2, 0, 1), theirs[0], atol=1e-3)


def test_the_detector_answers_alike_whatever_sizes_came_before() -> None:
    large = moving_face(0.3)
    small = cv2.resize(large, (160, 120), interpolation=cv2.INTER_AREA)
    detector, fresh = CenterFaceDetector(), CenterFaceDetector()
    first = detector.detect(large)
    for picture in (small, large[:64, :64], large, small):
        detector.detect(picture)
    again = detector.detect(large)
    assert len(first[0]) == 1
    for before, after, of_another in zip(first, again, fresh.detect(large), strict=True):
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(before, of_another)
