"""One HTML page about the alerts of a run or of many: when, on which camera, and how suitable each video is.

It has no script and loads nothing, so it reads the same from a file, a mail or on paper; faces are covered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from html import escape
from pathlib import Path

from fervid.alerts.find.records import NEEDS_REVIEW, AlertRecord
from fervid.alerts.find.scan import RunAlerts
from fervid.alerts.review.report_pictures import images
from fervid.alerts.review.reviews import Review, precision_by_rule_and_camera, read_verdicts, verdicts_of
from fervid.base.clock import clock
from fervid.base.printable import counted
from fervid.errors import OutputError
from fervid.run.derived import publish_derived
from fervid.run.files import ALERTS_PAGE, pages_beside
from fervid.run.writing import writing
from fervid.web.written import html_page, html_table

HOURS = 24
STEPS = ("#f2f2f2", "#fee6ce", "#fdae6b", "#e6550d", "#8c2d04")
"""From none to many, one hue from light to dark: distinguishable in grey and with every form of colour blindness."""
TIER_COLOURS = {"alert": "#8c2d04", "notice": "#56b4e9"}
MOST_PICTURED = 100
"""Number of alerts with images on a page: about 100 kB each."""
MARK_WIDTH = 0.4
"""Narrowest mark on a bar of time, in per cent of its width."""

_STYLE = """
.heat { border-collapse: separate; border-spacing: 2px; font-size: .8rem; }
.heat td, .heat th { border: 0; padding: .1rem .2rem; min-width: 1.5rem; text-align: center; }
.heat td { color: #111; border-radius: 3px; }
.heat .none { background: none; border: 1px dashed var(--line); }
.heat .dark { color: #fff; }
.bar { display: block; width: 100%; height: 22px; background: var(--line); border-radius: 4px; }
.key { display: inline-block; width: .9em; height: .9em; border-radius: 2px; margin: 0 .3em 0 1em; }
.not_fit { font-weight: 600; }
.stills { display: flex; flex-wrap: wrap; gap: .5rem; max-width: none; }
"""


def write_report(found: Sequence[RunAlerts], folder: Path, *, is_held: bool = False) -> Path:
    """Write `alerts.html` into a folder in one atomic step and return its path.

    In the folder of a run this waits for its lock, unless the caller holds it (`is_held`).
    """
    page = folder / ALERTS_PAGE
    own = next((one.run.manifest.settings_hash for one in found if one.run.folder == folder), None)
    try:
        with nullcontext() if own is None else writing(folder, own, is_held=is_held):
            publish_derived(folder, {ALERTS_PAGE: make_report(found, folder).encode()})
    except OSError as problem:
        raise OutputError(f"{page} cannot be written ({problem.strerror}). Check its folder.") from None
    return page


def make_report(found: Sequence[RunAlerts], folder: Path) -> str:
    """The page as text, with links relative to `folder`."""
    verdicts = [verdicts_of(one.records, read_verdicts(one.run)) for one in found]
    records = [record for one in found for record in one.records]
    title = f"Alerts of {found[0].video}" if len(found) == 1 else f"Alerts of {len(found)} videos"
    rules = ", ".join(sorted({one.rules.source for one in found}))
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{_counts(records)}, by the rules {escape(rules)}. Each is a moment worth a look: an '
        f"expression that {escape(NEEDS_REVIEW)}, never a finding about a person.</p>",
        _fitness_summary(found),
    ]
    if len(found) > 1 or any(one.recorded for one in found):
        parts += [_heat_map(found), "<h2>Cameras</h2>", _cameras(found)]
    if any(verdicts):
        parts += ["<h2>Verdicts</h2>", _precision([review for said in verdicts for review in said.values()])]
    parts.append("<h2>Videos</h2>")
    parts.append(
        "<p>"
        + "".join(
            f'<span class="key" style="background:{colour}"></span>{tier}' for tier, colour in TIER_COLOURS.items()
        )
        + "</p>"
    )
    n_pictured = 0
    for one, said in sorted(
        zip(found, verdicts, strict=True), key=lambda item: (not item[0].records, item[0].camera, item[0].video)
    ):
        parts.append(_video(one, said))
        for record in one.of_tier("alert")[: max(0, MOST_PICTURED - n_pictured)]:
            shown = images(one.run.folder, record, folder)
            n_pictured += bool(shown)
            parts.append(shown)
    says = (
        "The labels say how faces look, not what people feel, and one in three is wrong. No alerts means nothing where "
        "faces could not be seen: read them together with the usable time."
    )
    return html_page(title, parts, says=says, links=pages_beside(folder, ALERTS_PAGE), own_style=_STYLE)


def _counts(records: Sequence[AlertRecord]) -> str:
    n = {tier: sum(record.tier == tier for record in records) for tier in TIER_COLOURS}
    return ", ".join(counted(count, tier) for tier, count in n.items())


def _fitness_summary(found: Sequence[RunAlerts]) -> str:
    observed = sum(one.fitness.observed_seconds for one in found)
    usable = sum(one.fitness.usable_share * one.fitness.observed_seconds for one in found)
    faces = sum(one.fitness.face_seconds for one in found)
    abstained = sum((one.fitness.abstained_share or 0) * one.fitness.face_seconds for one in found)
    unfit = sum(one.fitness.best == "not_fit" for one in found)
    text = f"A face was usable in {usable / observed:.0%} of {clock(observed)}" if observed else "Nothing was observed"
    if faces:
        text += f"; in {abstained / faces:.0%} of the time of faces no label is given"
    if len(found) > 1:
        by_motion = sum(one.fitness.is_by_motion_alone for one in found)
        motion = f" (fit by motion alone: {by_motion})" if by_motion else ""
        text += f"; not fit for alerts: {unfit} of {len(found)} videos{motion}"
    return f"<p>{text}.</p>"


def _heat_map(found: Sequence[RunAlerts]) -> str:
    """Alerts by hour and day, for videos whose time of recording is known."""
    counts: dict[tuple[date, int], int] = defaultdict(int)
    watched: set[tuple[date, int]] = set()
    unknown = 0
    for one in found:
        if one.recorded is None:
            unknown += 1
            continue
        watched |= _hours_of(one.recorded, one.fitness.observed_seconds)
        for record in one.of_tier("alert"):
            moment = one.recorded + timedelta(seconds=record.start_s)
            counts[moment.date(), moment.hour] += 1
    if not watched:
        return (
            "<h2>Alerts by hour and day</h2><p>Not shown: the recording time of the videos is unknown. Give it with "
            "--start-time, or in file names such as cam2_20261120_220000.mp4.</p>"
        )
    days = sorted({day for day, _ in watched} | {day for day, _ in counts})
    most = max(counts.values(), default=0)
    head = "".join(f"<th>{hour:02d}</th>" for hour in range(HOURS))
    rows = []
    for day in days:
        cells = "".join(_cell(counts.get((day, hour), 0), most, (day, hour) in watched) for hour in range(HOURS))
        rows.append(f"<tr><th>{day.strftime('%a')} {day.isoformat()}</th>{cells}</tr>")
    note = f" Without a recording time: {unknown} of {len(found)} videos." if unknown else ""
    return (
        "<h2>Alerts by hour and day</h2>"
        f"<p>Each square counts the alerts that started in that hour; dashed ones were not recorded.{note}</p>"
        f'<div class="wide"><table class="heat"><tr><th></th>{head}</tr>{"".join(rows)}</table></div>'
    )


def _hours_of(begin: datetime, seconds: float) -> set[tuple[date, int]]:
    hours: set[tuple[date, int]] = set()
    moment, end = begin.replace(minute=0, second=0, microsecond=0), begin + timedelta(seconds=seconds)
    while moment < end or not hours:
        hours.add((moment.date(), moment.hour))
        moment += timedelta(hours=1)
    return hours


def _cell(count: int, most: int, is_watched: bool) -> str:
    if not is_watched and not count:
        return '<td class="none" title="not recorded"></td>'
    step = 0 if not count else 1 + round((len(STEPS) - 2) * (count - 1) / max(1, most - 1))
    dark = ' class="dark"' if step >= len(STEPS) - 2 else ""
    return f'<td{dark} style="background:{STEPS[step]}" title="{count} alerts">{count or ""}</td>'


def _cameras(found: Sequence[RunAlerts]) -> str:
    rows = []
    for camera in sorted({one.camera for one in found}):
        own = [one for one in found if one.camera == camera]
        hours = sum(one.fitness.observed_seconds for one in own) / 3600
        usable = sum(one.fitness.usable_share * one.fitness.observed_seconds for one in own) / 3600
        n_alerts, n_notices = (sum(len(one.of_tier(tier)) for one in own) for tier in ("alert", "notice"))
        rate = f"{n_alerts / hours:.1f}" if hours >= 1 else ""
        rows.append(
            (camera, str(len(own)), f"{hours:.2f}", f"{usable / hours if hours else 0:.0%}", str(n_alerts),
             str(n_notices), rate)
        )  # fmt: skip
    heads = ("camera (folder)", "videos", "hours", "usable", "alerts", "notices", "alerts per hour")
    return _table(heads, rows)


def _precision(reviews: Sequence[Review]) -> str:
    rows = []
    for row in precision_by_rule_and_camera(reviews):
        low, high = row.interval
        share = "" if row.precision is None else f"{row.precision:.0%} ({low:.0%} to {high:.0%})"
        counts = (str(n) for n in (row.n_true, row.n_false, row.n_unsure))
        rows.append((row.rule or "", row.camera or "all cameras", *counts, share))
    return _table(("rule", "camera (folder)", "true", "false", "unsure", "precision (95 % interval)"), rows)


def _video(one: RunAlerts, said: Mapping[str, Review]) -> str:
    when = f"; recorded from {one.recorded.isoformat(sep=' ', timespec='seconds')}" if one.recorded else ""
    parts = [
        f"<h3>{escape(one.camera)} / {escape(one.video)}</h3>",
        f'<p class="quiet {one.fitness.best}">{_counts(one.records)}; {escape(one.fitness.text())}{when}.</p>',
    ]
    parts += [
        f"<p>A face at {box.x:.0f}, {box.y:.0f} of {box.w:.0f} x {box.h:.0f} px never moved from {clock(box.start_s)} "
        f"to {clock(box.end_s)}, so it was treated as a poster or photo and masked.</p>"
        for box in one.fitness.static_boxes
    ]
    parts += [f"<p>{escape(sentence[0].upper() + sentence[1:])}.</p>" for sentence in one.unevaluated()]
    if one.records:
        parts.append(_bar(one))
        parts.append(
            _table(
                ("tier", "rule", "start", "end", "score", "quality", "what", "verdict"),
                [
                    (
                        f"{record.tier}/{record.severity}",
                        record.rule,
                        clock(record.start_s),
                        clock(record.end_s),
                        f"{record.peak_score:.2f}",
                        "" if record.quality is None else f"{record.quality:.2f}",
                        f"{record.wording}, {NEEDS_REVIEW}"
                        + (f" ({record.n_held_back} more in cooldown)" if record.n_held_back else ""),
                        _said(said.get(record.alert_id)),
                    )
                    for record in one.records
                ],
            )
        )
    return "\n".join(part for part in parts if part)


def _bar(one: RunAlerts) -> str:
    """The video as a bar of time with its events as marks; alerts lie over notices."""
    duration = max(float(one.run.manifest.video["duration_seconds"]), 1e-9)
    marks = []
    for record in sorted(one.records, key=lambda item: item.tier == "alert"):
        x = min(100 * record.start_s / duration, 100 - MARK_WIDTH)
        width = max(MARK_WIDTH, 100 * record.duration_s / duration)
        y, height = (0, 22) if record.tier == "alert" else (12, 10)
        marks.append(
            f'<rect x="{x:.2f}%" y="{y}" width="{min(width, 100 - x):.2f}%" height="{height}" '
            f'fill="{TIER_COLOURS[record.tier]}"><title>{escape(record.text())}</title></rect>'
        )
    label = f"{_counts(one.records)} over {clock(duration)}"
    return f'<svg class="bar" role="img" aria-label="{escape(label)}">{"".join(marks)}</svg>'


def _said(review: Review | None) -> str:
    if review is None:
        return "open"
    return f"{review.verdict}: {review.reason}" if review.reason else str(review.verdict)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    texts = ("tier", "rule", "what", "camera (folder)", "verdict")
    return html_table(heads, rows, numbers=[head for head in heads if head not in texts])
