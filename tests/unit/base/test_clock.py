"""Times as text, by one function."""

from __future__ import annotations

import pytest

from fervid.base.clock import clock


@pytest.mark.parametrize(
    ("seconds", "options", "text"),
    [
        (62.54, {}, "00:01:02.5"),
        (62.54, {"hides_hours": True}, "01:02.5"),
        (3662.5, {"hides_hours": True}, "1:01:02.5"),
        (3662.0625, {"decimals": 3, "mark": ","}, "01:01:02,062"),
        (59.96, {}, "00:01:00.0"),
        (86_400.0, {"decimals": 0}, "24:00:00"),
        (-0.2, {}, "00:00:00.0"),
    ],
)
def test_seconds_as_text(seconds: float, options: dict[str, object], text: str) -> None:
    assert clock(seconds, **options) == text  # type: ignore[arg-type]
