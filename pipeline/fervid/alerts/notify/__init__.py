"""Receivers of alerts: the protocol and the table. Knows nothing of rules, and loads no receiver before it is used."""

from __future__ import annotations

from typing import Protocol

RECEIVERS = {
    "webhook": "fervid.alerts.notify.webhook:Webhook",
    "command": "fervid.alerts.notify.command:Command",
}
"""Each class is a section of the file for --notify: its fields are the keys of the section."""


class Receiver(Protocol):
    """Where messages go. Made of the keys of its section."""

    def prepare(self) -> None:
        """Find what sending needs, such as variables of the environment. Raises ConfigError."""
        ...

    def send(self, body: bytes, message_id: str) -> None:
        """Send the JSON of one message once, without retries. Raises NotSent."""
        ...


class NotSent(Exception):
    """A message was not delivered. `is_passing`: a retry may help, after `wait_seconds`."""

    def __init__(self, problem: str, *, is_passing: bool, wait_seconds: float = 0.0) -> None:
        super().__init__(problem)
        self.is_passing, self.wait_seconds = is_passing, wait_seconds
