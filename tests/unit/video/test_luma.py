"""From decoded pictures to luma as displayed: formats, ranges and orientations."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from bad_sources import overwritten, write
from fervid.video.luma import as_displayed, display_matrix, luma, matrix_signs
from synthetic import SIZE, constant_rate, write_video

MPEG_RANGE, JPEG_RANGE = 1, 2
IMAGE = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
ORIENTATIONS = {
    "as stored": ((1, 0, 0, 1), [[1, 2, 3], [4, 5, 6]]),
    "a quarter turn clockwise": ((0, 1, -1, 0), [[4, 1], [5, 2], [6, 3]]),
    "half a turn": ((-1, 0, 0, -1), [[6, 5, 4], [3, 2, 1]]),
    "a quarter turn counter-clockwise": ((0, -1, 1, 0), [[3, 6], [2, 5], [1, 4]]),
    "left and right exchanged": ((-1, 0, 0, 1), [[3, 2, 1], [6, 5, 4]]),
    "upside down in a mirror": ((1, 0, 0, -1), [[4, 5, 6], [1, 2, 3]]),
    "mirrored at the main diagonal": ((0, 1, 1, 0), [[1, 4], [2, 5], [3, 6]]),
    "mirrored at the other diagonal": ((0, -1, -1, 0), [[6, 3], [5, 2], [4, 1]]),
}


def picture(pixel_format: str, values: np.ndarray, dtype: type = np.uint8) -> av.VideoFrame:
    """A frame whose first plane holds `values`, with rubbish in the padding behind each row."""
    height, width = values.shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane in frame.planes:
        plane.update(b"\x80" * plane.buffer_size)
    plane = frame.planes[0]
    content = np.full(plane.buffer_size // np.dtype(dtype).itemsize, 77, dtype)
    content.reshape(-1, plane.line_size // np.dtype(dtype).itemsize)[:height, :width] = values
    plane.update(content.tobytes())
    return frame


def test_without_a_matrix_the_image_is_left_as_it_is() -> None:
    np.testing.assert_array_equal(as_displayed(IMAGE, None), IMAGE)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_each_of_the_eight_orientations_is_shown_upright(name: str) -> None:
    matrix, expected = ORIENTATIONS[name]
    shown = as_displayed(IMAGE, matrix)
    np.testing.assert_array_equal(shown, expected)
    assert shown.flags.c_contiguous


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_a_matrix_moves_every_pixel_as_the_standard_says(name: str) -> None:
    a, b, c, d = ORIENTATIONS[name][0]
    height, width = IMAGE.shape
    moved = {(a * x + c * y, b * x + d * y): IMAGE[y, x] for y in range(height) for x in range(width)}
    left, top = min(x for x, _ in moved), min(y for _, y in moved)
    shown = as_displayed(IMAGE, (a, b, c, d))
    assert {(x + left, y + top): value for (y, x), value in np.ndenumerate(shown)} == moved


ONE, LAST = 1 << 16, 1 << 30


def test_a_frame_without_a_display_matrix_has_none() -> None:
    assert display_matrix(picture("gray", IMAGE)) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((ONE, 0, 0, 0, ONE, 0, 0, 0, LAST), (1, 0, 0, 1)),
        ((0, ONE, 0, -ONE, 0, 0, 240 * ONE, 0, LAST), (0, 1, -1, 0)),
        ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, LAST), (-1, 0, 0, -1)),
        ((3, ONE, 0, -ONE, -5, 0, 0, 0, LAST), (0, 1, -1, 0)),  # sine and cosine of a quarter turn, rounded
    ],
)
def test_the_signs_of_the_display_matrix_are_read(values: tuple[int, ...], expected: tuple[int, ...]) -> None:
    assert matrix_signs(struct.pack("<9i", *values)) == expected


def test_a_decoded_frame_brings_the_matrix_of_its_file(tmp_path: Path) -> None:
    quarter_turn = (0, ONE, 0, -ONE, 0, 0, SIZE[1] * ONE, 0, LAST)
    clip = write_video(tmp_path / "clip.mp4", constant_rate(0.2))
    write(clip, overwritten(clip.read_bytes(), "moov/trak/tkhd", 40, *quarter_turn))
    with av.open(str(clip)) as container:
        assert display_matrix(next(container.decode(video=0))) == (0, 1, -1, 0)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "nv12", "yuva420p"])
def test_planar_luma_is_passed_on_in_limited_range(pixel_format: str) -> None:
    values = np.arange(32 * 16, dtype=np.uint16).reshape(16, 32).astype(np.uint8)
    found, is_full_range = luma(picture(pixel_format, values))
    np.testing.assert_array_equal(found, values)
    assert (found.dtype, is_full_range) == (np.uint8, False)


@pytest.mark.parametrize("width", [1, 31, 33, 65])
def test_padding_behind_rows_is_left_out(width: int) -> None:
    values = (np.arange(17 * width) % 76).reshape(17, width).astype(np.uint8)
    frame = picture("yuv420p", values)
    assert frame.planes[0].line_size > width
    np.testing.assert_array_equal(luma(frame)[0], values)


@pytest.mark.parametrize(
    ("pixel_format", "color_range", "expected"),
    [
        ("yuv420p", 0, False),
        ("yuv420p", MPEG_RANGE, False),
        ("yuv420p", JPEG_RANGE, True),
        ("yuvj420p", 0, True),
        ("gray", 0, True),
        ("gray", MPEG_RANGE, False),  # monochrome H.264 and HEVC say so
    ],
)
def test_the_range_is_limited_unless_the_frame_says_otherwise(
    pixel_format: str, color_range: int, expected: bool
) -> None:
    frame = picture(pixel_format, np.array([[0, 16, 235, 255]] * 2, np.uint8))
    frame.color_range = color_range
    found, is_full_range = luma(frame)
    assert is_full_range is expected
    assert found[0].tolist() == [0, 16, 235, 255]  # the values are stretched later, crop by crop


@pytest.mark.parametrize(
    ("pixel_format", "bits"),
    [
        ("yuv420p9le", 9),
        ("yuv420p10le", 10),
        ("yuv422p10le", 10),
        ("yuv444p12le", 12),
        ("gray10le", 10),
        ("gray16le", 16),
    ],
)
@pytest.mark.parametrize("width", [4, 35])
def test_deep_luma_loses_its_lowest_bits(pixel_format: str, bits: int, width: int) -> None:
    shift = bits - 8
    row = np.resize([0, 16 << shift, 235 << shift, (1 << bits) - 1], width)
    row[1] += (1 << shift) - 1  # the lowest bits do not round up
    found, is_full_range = luma(picture(pixel_format, np.tile(row, (3, 1)), np.uint16))
    np.testing.assert_array_equal(found, np.tile(np.resize([0, 16, 235, 255], width), (3, 1)))
    assert (found.dtype, is_full_range) == (np.uint8, pixel_format.startswith("gray"))


def test_colours_become_their_luma_in_full_range() -> None:
    colours = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)]
    found, is_full_range = luma(av.VideoFrame.from_ndarray(np.array([colours] * 2, np.uint8), format="rgb24"))
    np.testing.assert_allclose(found, [[0, 255, 76, 150, 29, 90]] * 2, atol=1)  # 0.299 R + 0.587 G + 0.114 B
    assert (found.dtype, is_full_range) == (np.uint8, True)


@pytest.mark.parametrize(
    ("color_range", "expected"), [(MPEG_RANGE, [0, 255, 128, 0]), (JPEG_RANGE, [16, 235, 126, 16])]
)
def test_packed_luma_comes_out_in_full_range(color_range: int, expected: list[int]) -> None:
    packed = np.full((2, 8), 128, np.uint8)
    packed[:, ::2] = [16, 235, 126, 16]
    frame = av.VideoFrame(4, 2, "yuyv422")
    plane = frame.planes[0]
    content = np.zeros((2, plane.line_size), np.uint8)
    content[:, :8] = packed
    plane.update(content.tobytes().ljust(plane.buffer_size, b"\0"))
    frame.color_range = color_range
    found, is_full_range = luma(frame)
    assert is_full_range
    np.testing.assert_allclose(found, [expected] * 2, atol=1)
