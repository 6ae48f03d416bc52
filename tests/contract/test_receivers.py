"""What every receiver of alerts keeps to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from fervid.alerts.notify import RECEIVERS, NotSent, Receiver
from fervid.base.registry import resolve
from fervid.errors import ConfigError

UNREACHABLE: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://127.0.0.1:9/hook", "timeout": 5},
    "command": {"argv": ["/no/such/program"]},
}
"""A section of each that is right, for a receiver that is not there. A receiver without one here fails."""

EVERY = pytest.mark.parametrize("name", RECEIVERS)


def receiver(name: str, **keys: Any) -> Receiver:
    made: Receiver = resolve(RECEIVERS, name, kind="receiver")(**keys)
    return made


@EVERY
def test_a_message_that_does_not_arrive_is_said(name: str) -> None:
    absent = receiver(name, **UNREACHABLE[name])
    absent.prepare()
    with pytest.raises(NotSent) as caught:
        absent.send(json.dumps({"id": "m"}).encode(), "m")
    assert str(caught.value)
    assert caught.value.wait_seconds >= 0


@EVERY
@pytest.mark.parametrize("wrong", [{"surprise": 1}, {"timeout": -1}, {"timeout": "soon"}])
def test_a_section_with_a_wrong_key_or_value_is_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, ConfigError)):
        receiver(name, **{**UNREACHABLE[name], **wrong})


@EVERY
def test_a_section_cannot_be_changed_once_it_was_checked(name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        receiver(name, **UNREACHABLE[name]).timeout = 0  # type: ignore[attr-defined]
