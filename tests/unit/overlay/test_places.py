"""Where tags and bars stand: over no face and no other mark while there is room, steady, with a line if away."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.charts.palette import COLOURS
from fervid.overlay.faces import FaceDrawer, FaceMark, _panel_slots, _tag_slots
from fervid.overlay.places import Area, Places, Wanted, is_free, line_between
from fervid.overlay.text import rgb_of

FRAME = 640, 360
TAG, PANEL = (150, 18), (140, 110)
LABELS = ("angry", "happy", "neutral")


def random_boxes(seed: int, *, faces: int, side_px: tuple[int, int]) -> list[Area]:
    """Faces that do not overlap, anywhere in the frame."""
    rng = np.random.default_rng(seed)
    boxes: list[Area] = []
    while len(boxes) < faces:
        side = int(rng.integers(*side_px))
        x, y = int(rng.integers(0, FRAME[0] - side)), int(rng.integers(0, FRAME[1] - side))
        if is_free(box := (x, y, x + side, y + side), boxes):
            boxes.append(box)
    return boxes


def free_somewhere(size: tuple[int, int], taken: list[Area]) -> bool:
    """Whether any place of the frame is free, tried pixel by pixel."""
    free = np.ones((FRAME[1] - size[1] + 1, FRAME[0] - size[0] + 1), bool)
    for x0, y0, x1, y1 in taken:
        free[max(0, y0 - size[1] + 1) : max(0, y1), max(0, x0 - size[0] + 1) : max(0, x1)] = False
    return bool(free.any())


def wanted(boxes: list[Area], size: tuple[int, int] = TAG) -> list[Wanted]:
    return [Wanted(i, box, size) for i, box in enumerate(boxes)]


@pytest.mark.parametrize("seed", range(60))
def test_where_there_is_room_no_tag_covers_a_face_or_another_tag(seed: int) -> None:
    boxes = random_boxes(seed, faces=2 + seed % 8, side_px=(20, 70))
    tags = Places(_tag_slots, is_needed=True).find(wanted(boxes), boxes, [], FRAME, gap_px=5)
    for i, tag in enumerate(tags):
        assert tag is not None
        assert is_free(tag, boxes + [other for j, other in enumerate(tags) if j != i and other is not None])
        assert tag[0] >= 0 <= tag[1]
        assert tag[2] <= FRAME[0]
        assert tag[3] <= FRAME[1]
    marks = [tag for tag in tags if tag is not None]
    panels = Places(_panel_slots, is_needed=False).find(wanted(boxes, PANEL), boxes, marks, FRAME, gap_px=5)
    placed = [panel for panel in panels if panel is not None]
    for i, panel in enumerate(placed):
        assert is_free(panel, [*boxes, *marks, *placed[:i]])


@pytest.mark.parametrize("seed", range(30))
def test_a_tag_covers_something_only_if_the_grid_has_no_free_place(seed: int) -> None:
    boxes = random_boxes(seed, faces=5, side_px=(60, 130))
    tags = Places(_tag_slots, is_needed=True).find(wanted(boxes), boxes, [], FRAME, gap_px=5)
    before: list[Area] = []
    for tag in tags:
        assert tag is not None
        # The grid has cells of two pixels: room that is less than that wider than the tag may be missed.
        wider = TAG[0] + 2, TAG[1] + 2
        assert is_free(tag, boxes + before) or not free_somewhere(wider, boxes + before)
        before.append(tag)


def test_a_frame_full_of_faces_covers_them_before_another_tag() -> None:
    boxes: list[Area] = [(0, 0, 320, 360), (320, 0, 640, 360)]
    first, second = Places(_tag_slots, is_needed=True).find(wanted(boxes), boxes, [], FRAME, gap_px=5)
    assert first is not None
    assert second is not None
    assert is_free(first, [second, boxes[1]])
    assert is_free(second, [boxes[0]])
    assert Places(_panel_slots, is_needed=False).find(wanted(boxes, PANEL), boxes, [], FRAME, gap_px=5) == [None] * 2


def test_a_tag_stays_while_its_box_trembles_and_returns_when_there_is_room() -> None:
    places = Places(_tag_slots, is_needed=True)
    box, blocks = (200, 150, 260, 210), [(60, 100, 420, 149), (60, 211, 420, 260), (30, 100, 198, 260)]
    blocks.append((262, 100, 420, 260))
    away = places.find([Wanted(0, box, TAG)], [box], blocks, FRAME, gap_px=5)[0]
    assert away is not None
    assert line_between(away, box) is not None
    moved: Area = (201, 151, 261, 211)
    kept = places.find([Wanted(0, moved, TAG)], [moved], blocks, FRAME, gap_px=5)[0]
    assert kept == (away[0] + 1, away[1] + 1, away[2] + 1, away[3] + 1)
    back = places.find([Wanted(0, box, TAG)], [box], [], FRAME, gap_px=5)[0]
    assert back is not None
    assert line_between(back, box) is None


def test_a_crowd_costs_little_and_an_empty_or_tiny_frame_does_no_harm() -> None:
    boxes = [(x, y, x + 12, y + 12) for x in range(0, 620, 31) for y in range(0, 340, 34)]
    tags = Places(_tag_slots, is_needed=True).find(wanted(boxes), boxes, [], FRAME, gap_px=5)
    assert len(tags) == len(boxes)
    assert Places(_tag_slots, is_needed=True).find([], [], [], FRAME, gap_px=5) == []
    tiny = Places(_tag_slots, is_needed=True).find([Wanted(0, (0, 0, 8, 8), TAG)], [(0, 0, 8, 8)], [], (8, 8), gap_px=5)
    assert tiny[0] is not None


def mark(box: Area, track_id: int) -> FaceMark:
    return FaceMark(box, track_id, "happy", 0.8, np.array([0.1, 0.8, 0.1]))


def test_in_a_drawn_picture_every_face_stays_as_it_was_and_has_its_tag() -> None:
    boxes: list[Area] = [(300, 300, 420, 420), (470, 310, 590, 430), (640, 290, 760, 410), (810, 300, 930, 420)]
    rgb = np.full((720, 1280, 3), 100, np.uint8)
    FaceDrawer(LABELS).draw(rgb, [mark(box, i) for i, box in enumerate(boxes)])
    for x0, y0, x1, y1 in boxes:
        assert (rgb[y0 + 5 : y1 - 4, x0 + 5 : x1 - 4] == 100).all()
    happy = (rgb == rgb_of(COLOURS["happy"])).all(axis=-1)
    tag_rows = happy.reshape(720, -1).sum(axis=1)
    assert int((tag_rows > 60).sum()) >= 15
    filled = happy.copy()
    for x0, y0, x1, y1 in boxes:
        filled[y0 - 4 : y1 + 5, x0 - 4 : x1 + 5] = False
    assert int(filled.sum()) > 4 * 1000  # four tags, each about 200 x 22 without its letters


def test_an_area_for_something_else_is_kept_free() -> None:
    rgb = np.full((720, 1280, 3), 100, np.uint8)
    FaceDrawer(LABELS).draw(rgb, [mark((20, 30, 140, 150), 0)], keep_free=[(0, 0, 400, 29)])
    assert (rgb[:26, :400] == 100).all()
