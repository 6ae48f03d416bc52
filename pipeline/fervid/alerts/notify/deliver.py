"""Sends alerts to receivers, such as a webhook or a command, that a TOML file names, with a rate limit.

    max_per_hour = 6
    [webhook]
    url = "https://example.org/hook"

Every receiver has its own spool beside that file. Undelivered alerts wait there and are retried; alerts beyond
`max_per_hour` are combined in one digest. Knows nothing of rules.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError, create_model, model_validator

from fervid.alerts.find.records import AlertRecord
from fervid.alerts.notify import RECEIVERS, NotSent, Receiver
from fervid.alerts.notify.section import NotifySection, Seconds
from fervid.alerts.notify.spool import HOUR_SECONDS, Spool, Waiting
from fervid.base.clock import utc_now
from fervid.base.printable import counted
from fervid.base.registry import resolve
from fervid.base.toml import read_toml
from fervid.errors import ConfigError, NotDelivered, OutputInUse
from fervid.storage.lock import locked

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
"""Back-off between attempts: doubled each time, up to the longest."""
MOST_LISTED = 50
"""Alerts that a digest lists; it counts all."""
NOTICE = "The labels say how faces look, not what people feel. Every alert needs review."

Send = Callable[[bytes, str], None]
"""Sends the JSON of a message with its id, or raises NotSent."""


class _NotifySettings(NotifySection):
    """The content of a file for --notify: a section for each receiver, and how they are told."""

    tiers: tuple[Literal["alert", "notice"], ...] = ("alert",)
    max_per_hour: int = Field(default=12, ge=1, le=3600)
    patience: Seconds = 30.0

    @property
    def receivers(self) -> dict[str, Receiver]:
        """The receivers that the file has a section for, in the order of the table."""
        return {name: section for name in RECEIVERS if (section := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _tells_somebody(self) -> _NotifySettings:
        if not self.receivers:
            raise ValueError(f"expected {' or '.join(f'a [{name}]' for name in RECEIVERS)}")
        return self


if TYPE_CHECKING:
    NotifySettings = _NotifySettings
else:
    NotifySettings = create_model(
        "NotifySettings",
        __base__=_NotifySettings,
        __doc__=_NotifySettings.__doc__,
        **{name: (resolve(RECEIVERS, name, kind="receiver") | None, None) for name in RECEIVERS},
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """The delivery result of one receiver."""

    receiver: str
    n_messages: int
    n_told: int
    n_waiting: int
    problem: str | None = None
    """Why the rest waits, if not only because of the limit."""
    free_in_seconds: float | None = None
    """When the limit lets the next message out, where it holds alerts back."""

    def text(self) -> str:
        """The delivery as a line."""
        line = f"{self.receiver}: {counted(self.n_told, 'alert')} sent in {counted(self.n_messages, 'message')}"
        if self.problem is not None:
            return f"{line}; {self.n_waiting} pending: {self.problem}"
        if self.free_in_seconds is not None:
            return f"{line}; {self.n_waiting} wait for max_per_hour for another {self.free_in_seconds / 60:.0f} min"
        return line


class Notifier:
    """The receivers that a file names, with their spools. Most callers only need `tell`."""

    def __init__(self, settings: NotifySettings, spool_folder: Path) -> None:
        """Raises ConfigError when a header needs a variable that is not set, OutputError without a place to write."""
        self.settings = settings
        self._receivers = settings.receivers
        for receiver in self._receivers.values():
            receiver.prepare()
        self._spools = {name: Spool(spool_folder / name) for name in self._receivers}

    def tell(self, records: Iterable[AlertRecord]) -> list[Delivery]:
        """Queue the alerts of the chosen tiers, then deliver."""
        self.add(records)
        return self.deliver()

    def add(self, records: Iterable[AlertRecord]) -> int:
        """Queue the alerts of the chosen tiers for every receiver; returns how many were new for one of them."""
        alerts = [record.to_json() for record in records if record.tier in self.settings.tiers]
        return max(spool.add(alerts) for spool in self._spools.values())

    def deliver(self, *, patience_seconds: float | None = None) -> list[Delivery]:
        """Send pending alerts, retrying for at most `patience_seconds`; returns the results."""
        patience = self.settings.patience if patience_seconds is None else patience_seconds
        return [self._deliver_to(name, one.send, patience) for name, one in self._receivers.items()]

    def send_test(self) -> None:
        """Send one message without an alert to every receiver. Raises NotDelivered."""
        body = _body("test", "test", "fervid: a test message, no alert", [])
        for name, receiver in self._receivers.items():
            try:
                receiver.send(body, "test")
            except NotSent as problem:
                raise NotDelivered(f"{name}: {problem}. Check the file of --notify.") from None

    def _deliver_to(self, name: str, send: Send, patience: float) -> Delivery:
        spool = self._spools[name]
        try:
            with locked(spool.folder / "delivery"):
                return deliver(name, spool, send, max_per_hour=self.settings.max_per_hour, patience_seconds=patience)
        except OutputInUse:
            return Delivery(name, 0, 0, 0, None)  # the process that holds the lock sends these as well


def load_notifier(path: Path) -> Notifier:
    """The notifier configured by a TOML file; its spool is beside the file. Raises ConfigError."""
    described = read_toml(path, "file of receivers")
    try:
        settings = NotifySettings.model_validate(described)
    except ValidationError as problem:
        raise ConfigError(f"{path}: {_explain(problem)}") from None
    return Notifier(settings, path.with_name(f"{path.stem}-spool"))


def check_delivered(deliveries: Sequence[Delivery]) -> None:
    """Raise NotDelivered if a receiver did not accept alerts; alerts held only by the rate limit are fine."""
    failed = [one for one in deliveries if one.problem is not None]
    if failed:
        lines = "; ".join(f"{one.receiver}: {one.problem}, {one.n_waiting} alerts wait" for one in failed)
        raise NotDelivered(f"{lines}. Nothing is lost: `fervid alerts notify` retries.")


def deliver(
    name: str,
    spool: Spool,
    send: Send,
    *,
    max_per_hour: int,
    patience_seconds: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Delivery:
    """Send the pending alerts of a spool, oldest first, with at most `max_per_hour` messages in any hour.

    The last message that the limit allows is a digest of all pending alerts. Temporary failures are retried with
    exponential back-off until `patience_seconds` have passed; rejections are not. Only delivered messages count against
    the limit.
    """
    began, pause = now(), FIRST_PAUSE_SECONDS
    told_at = spool.told_at()
    n_messages = n_told = 0
    while waiting := spool.waiting():
        recent = sorted(moment for moment in told_at if 0 <= now() - moment < HOUR_SECONDS)
        free = max_per_hour - len(recent)
        if free <= 0:
            until = recent[-max_per_hour] + HOUR_SECONDS - now()
            return Delivery(name, n_messages, n_told, len(waiting), None, until)
        together = waiting if free == 1 else waiting[:1]
        message_id, kind, body = _message(together)
        try:
            send(body, message_id)
        except NotSent as problem:
            wait = max(pause, problem.wait_seconds)
            if not problem.is_passing or now() + wait - began > patience_seconds:
                return Delivery(name, n_messages, n_told, len(waiting), str(problem))
            sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            continue
        told_at.append(now())
        spool.mark_told(together, message_id=message_id, kind=kind, unix=told_at[-1])
        n_messages, n_told, pause = n_messages + 1, n_told + len(together), FIRST_PAUSE_SECONDS
    return Delivery(name, n_messages, n_told, 0)


def _message(waiting: Sequence[Waiting]) -> tuple[str, str, bytes]:
    """Id, kind and JSON of a message. The same alerts have the same id, so that a receiver can drop a repeated one."""
    message_id = hashlib.blake2b("/".join(one.alert_id for one in waiting).encode(), digest_size=8).hexdigest()
    if len(waiting) == 1:
        alert = waiting[0].alert
        text = f"{alert['camera']}/{alert['video']}: {alert['text']}"
        return message_id, "alert", _body(message_id, "alert", text, waiting)
    cameras = sorted({str(one.alert["camera"]) for one in waiting})
    shown = ", ".join(cameras[:3]) + (f" and {len(cameras) - 3} more" if len(cameras) > 3 else "")
    text = f"{len(waiting)} alerts that need review, delayed by the rate limit, on {shown}"
    return message_id, "digest", _body(message_id, "digest", text, waiting)


def _body(message_id: str, kind: str, text: str, waiting: Sequence[Waiting]) -> bytes:
    content = {
        "id": message_id,
        "kind": kind,
        "sent_utc": utc_now(),
        "text": text,
        "notice": NOTICE,
        "n_alerts": len(waiting),
        "alerts": [dict(one.alert) for one in waiting[:MOST_LISTED]],
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _explain(problem: ValidationError) -> str:
    error = problem.errors()[0]
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"key {key!r} does not exist. Use one of {', '.join(NotifySettings.model_fields)}."
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}." if key else f"{message}."
