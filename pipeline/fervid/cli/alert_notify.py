"""`fervid alerts notify`: send pending notifications after an outage or a rate limit."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fervid.alerts.notify.deliver import Delivery, Notifier


def notify(
    settings: Annotated[Path, typer.Argument(help="The TOML file passed as --notify.", show_default=False)],
    patience: Annotated[
        str | None, typer.Option(help="Keep retrying for this long, such as 00:10:00.", show_default="from the file")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Send a test message instead.")] = False,
) -> None:
    """Send pending alerts to a webhook or command, for instance every minute from cron.

    Example: fervid alerts notify notify.toml --patience 00:10:00
    """
    from fervid.alerts.notify.deliver import load_notifier
    from fervid.config import parse_time

    seconds = None if patience is None else parse_time(patience)
    notifier = load_notifier(settings)
    if test:
        notifier.send_test()
        print("test message delivered")
    else:
        print_deliveries(notifier.deliver(patience_seconds=seconds), to_stdout=True)


def open_notifier(path: Path | None) -> Notifier | None:
    """The notifier of the option --notify, checked before any work starts."""
    if path is None:
        return None
    from fervid.alerts.notify.deliver import load_notifier

    return load_notifier(path)


def print_deliveries(deliveries: Sequence[Delivery], *, to_stdout: bool = False) -> None:
    """Report what was sent; raises NotDelivered if a receiver did not accept it."""
    from fervid.alerts.notify.deliver import check_delivered

    check_delivered(deliveries)
    for one in deliveries:
        print(one.text(), file=sys.stdout if to_stdout else sys.stderr)
