"""What is drawn into pictures: where boxes, tags, bars and the timeline lie, and in which colours."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.charts.palette import COLOURS
from fervid.overlay.faces import ABSTAINED, REASONS, FaceDrawer, FaceMark, text_size
from fervid.overlay.motion import FULL_SPEED, draw_heat
from fervid.overlay.strip import CURSOR, EMPTY, Bins, TimelineStrip
from fervid.overlay.text import BLACK, WHITE, line_height, readable_on, rgb_of, text_width, write
from fervid.run.schema import ABSTAIN_REASONS

LABELS = ("angry", "happy", "neutral")
HAPPY = rgb_of(COLOURS["happy"])


def mark(box: tuple[float, ...], *, track_id: int = 0, abstain: str | None = None) -> FaceMark:
    return FaceMark(box, track_id, "happy", 0.8, np.array([0.1, 0.8, 0.1]), abstain)  # type: ignore[arg-type]


def picture() -> np.ndarray:
    return np.full((720, 1280, 3), 100, np.uint8)


def has_colour(rgb: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((rgb == colour).all(axis=-1).any())


def test_without_faces_nothing_is_drawn() -> None:
    rgb = picture()
    FaceDrawer(LABELS).draw(rgb, [])
    assert (rgb == 100).all()


def test_a_face_gets_a_box_a_tag_above_and_bars_beside_it_and_keeps_its_inside() -> None:
    rgb = picture()
    FaceDrawer(LABELS).draw(rgb, [mark((400, 300, 600, 500))])
    assert tuple(rgb[400, 400]) == HAPPY
    assert tuple(rgb[400, 600]) == HAPPY
    assert (rgb[310:490, 410:590] == 100).all()
    assert has_colour(rgb[270:299, 400:600], HAPPY)
    assert has_colour(rgb[300:500, 610:900], HAPPY)
    assert (rgb[:, :390] == 100).all()


@pytest.mark.parametrize(("left", "side"), [(1050, slice(0, 1040)), (10, slice(260, 1280))])
def test_bars_stand_where_there_is_room(left: int, side: slice) -> None:
    rgb = picture()
    FaceDrawer(LABELS).draw(rgb, [mark((left, 300, left + 220, 500))])
    assert has_colour(rgb[320:480, side], HAPPY)


def test_bars_stay_on_their_side_while_there_is_room() -> None:
    drawer = FaceDrawer(LABELS)
    for left in (1060, 700):
        rgb = picture()
        drawer.draw(rgb, [mark((left, 300, left + 200, 500))])
        assert has_colour(rgb[320:480, : left - 10], HAPPY)
        assert not has_colour(rgb[320:480, left + 210 :], HAPPY)


def test_bars_are_left_out_for_small_faces_and_on_request() -> None:
    for drawer, box in (
        (FaceDrawer(LABELS), (400, 300, 450, 350)),
        (FaceDrawer(LABELS, bars=False), (400, 300, 600, 500)),
    ):
        rgb = picture()
        drawer.draw(rgb, [mark(box)])
        assert (rgb[300:500, 660:] == 100).all()


def test_tags_of_neighbours_do_not_cover_each_other() -> None:
    rgb, faces = picture(), [mark((400, 300, 440, 340)), mark((450, 300, 490, 340), track_id=1)]
    FaceDrawer(LABELS).draw(rgb, faces)
    assert has_colour(rgb[277:298, 220:395], HAPPY)
    assert has_colour(rgb[277:298, 495:670], HAPPY)


@pytest.mark.parametrize(
    "box", [(-50, -60, 100, 90), (1200, 650, 1400, 900), (0, 0, 1280, 720), (2000, 2000, 2100, 2100)]
)
def test_boxes_at_and_beyond_the_edge_do_no_harm(box: tuple[int, ...]) -> None:
    FaceDrawer(LABELS).draw(picture(), [mark(box)])


def test_a_label_says_how_a_face_looks_and_a_reason_takes_its_place() -> None:
    assert mark((0, 0, 1, 1)).words() == "#0  looks happy  0.80"
    assert set(REASONS) == set(ABSTAIN_REASONS)
    for reason in ABSTAIN_REASONS:
        words = mark((0, 0, 1, 1), abstain=reason).words()
        assert "happy" not in words
    rgb = picture()
    FaceDrawer(LABELS, bars=False).draw(rgb, [mark((400, 300, 600, 500), abstain="dark")])
    assert has_colour(rgb, ABSTAINED)
    assert not has_colour(rgb, HAPPY)


def test_texts_are_cut_off_at_the_edge_and_take_the_width_that_is_told() -> None:
    rgb = np.zeros((20, 40, 3), np.uint8)
    assert write(rgb, "longer than that", -10, -4, size_px=14) == text_width("longer than that", 14) - 10
    assert rgb.max() > 200
    rgb = np.zeros((40, 200, 3), np.uint8)
    end = write(rgb, "Ég", 5, 3, size_px=14)
    inked = np.argwhere(rgb.any(axis=-1))
    assert inked.min(axis=0).tolist() >= [3, 5]
    assert inked.max(axis=0)[0] < 3 + line_height(14)
    assert inked.max(axis=0)[1] <= end
    assert (readable_on(HAPPY), readable_on((0, 0, 120))) == (BLACK, WHITE)


def strip(bins: Bins, *, alerts: tuple[tuple[float, float], ...] = ()) -> TimelineStrip:
    return TimelineStrip(bins, LABELS, start_seconds=0, end_seconds=10, width_px=800, text_px=14, alerts=alerts)


def test_the_strip_is_as_high_as_the_coverage_and_coloured_as_the_means() -> None:
    means = np.array([[0, 1, 0], [np.nan] * 3])
    below = strip(Bins(np.array([[0.0, 5.0], [5.0, 10.0]]), means, np.array([0.5, 0.0])))
    picture = below.at(9.9)
    assert picture.shape == (below.height_px, 800, 3)
    assert below.height_px % 2 == 0
    happy = (picture[:, 200] == HAPPY).all(axis=-1).sum()
    empty = (picture[:, 200] == EMPTY).all(axis=-1).sum()
    assert abs(int(happy) - int(empty)) <= 1
    assert not has_colour(picture[:50, 410:770], HAPPY)


def test_the_cursor_moves_and_alerts_are_marked_above() -> None:
    below = strip(Bins(np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0)), alerts=((2.0, 4.0),))
    for seconds, column in ((0.0, 7), (5.0, 400), (10.0, 792)):
        cursor = (below.at(seconds)[20] == CURSOR).all(axis=-1)
        assert np.flatnonzero(cursor).min() == pytest.approx(column, abs=3)
    marked = np.flatnonzero((below.at(9.0)[4] == rgb_of(COLOURS["angry"])).all(axis=-1))
    assert (marked.min(), marked.max()) == pytest.approx((164, 321), abs=3)


@pytest.mark.parametrize("width_px", [200, 300, 800])
def test_the_legend_names_every_label_at_any_width(width_px: int) -> None:
    empty = Bins(np.zeros((0, 2)), np.zeros((0, 3)), np.zeros(0))
    below = TimelineStrip(empty, LABELS, start_seconds=0, end_seconds=10, width_px=width_px, text_px=14)
    picture = below.at(5.0)
    assert all(has_colour(picture, rgb_of(COLOURS[label])) for label in LABELS)
    assert not (picture[:, -3:] != np.array((24, 24, 24))).any()


def test_letters_grow_with_the_picture_down_to_what_can_be_read() -> None:
    assert [text_size(height) for height in (100, 480, 720, 2160)] == [11, 13, 19, 57]


def test_heat_lies_where_the_image_moves() -> None:
    image = np.full((100, 160, 3), 100, np.uint8)
    grid = np.full((5, 8), np.nan, np.float16)
    grid[0, 1], grid[4, 7], grid[2, 2] = FULL_SPEED, FULL_SPEED / 2, FULL_SPEED / 100
    draw_heat(image, grid)
    changed = (image != 100).any(axis=2).reshape(5, 20, 8, 20).all(axis=(1, 3))
    assert np.argwhere(changed).tolist() == [[0, 1], [4, 7]]
    assert not (image != 100).any(axis=2)[40:60, 40:60].any()
    assert abs(int(image[5, 25, 0]) - 100) > abs(int(image[95, 150, 0]) - 100) > 10
