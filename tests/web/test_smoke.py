"""The review page opens in a browser: the one browser test of the default run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from browser import Visit, first_address
from served import Served


def test_from_the_list_to_an_alert_without_a_complaint_or_a_word_to_others(
    visit: Callable[..., Visit], served_demo: Served
) -> None:
    opened = visit(first_address(served_demo))
    page = opened.page
    assert page.url == f"{served_demo.origin}/"
    page.get_by_role("link", name="clip.mp4").click()
    page.get_by_role("heading", name="clip.mp4").wait_for()
    opened.wait_for_picture()
    page.keyboard.press("j")
    page.get_by_role("button", name="False").wait_for()
    asked = opened.click_time(4.0)
    opened.wait_for_picture()
    assert opened.time() == pytest.approx(asked, abs=0.1)
    assert opened.problems == []
    assert all(address.startswith((served_demo.origin, "data:")) for address in opened.addresses)
