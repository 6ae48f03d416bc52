"""Where labels are placed beside faces: in a real browser, from random boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from browser import Visit, first_address
from served import Served

pytestmark = pytest.mark.slow

PLACED = """async (faces) => {
    const { placeLabels } = await import("/static/labels.js");
    return placeLabels(faces, { width: 640, height: 360 });
}"""


def test_labels_never_cover_a_face_or_each_other(visit: Callable[..., Visit], served_demo: Served) -> None:
    opened = visit(first_address(served_demo))
    random = np.random.default_rng(7)
    for n in (1, 4, 9, 25):
        side = float(random.uniform(25, 90))
        corners = [(float(random.uniform(0, 640 - side)), float(random.uniform(0, 360 - side))) for _ in range(n)]
        boxes = [[x, y, side, side] for x, y in corners]
        sizes = [[170, 20], [80, 20], [28, 20]]
        found = opened.page.evaluate(PLACED, [{"box": box, "sizes": sizes} for box in boxes])
        placed = [place and place | {"size": sizes[place["form"]]} for place in found]
        assert any(placed)
        taken = [tuple(box) for box in boxes]
        for place in filter(None, placed):
            own = (place["x"], place["y"], *place["size"])
            assert 0 <= own[0] <= 640 - own[2]
            assert 0 <= own[1] <= 360 - own[3]
            assert not any(meets(own, other) for other in taken)
            taken.append(own)


def meets(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
