"""Profiles as self-contained HTML pages, of one video or of many. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from fervid.base.clock import clock
from fervid.profile.genre import INSUFFICIENT, REFERENCE, TagScore
from fervid.profile.profile import Profile
from fervid.run.files import PROFILE, PROFILES_TABLE
from fervid.web.written import html_figure, html_page, html_table, table_of_cells

_SAYS = (
    "A label says how a face looks, not what a person feels. Tags are suggestions with their reasons, never the genre "
    "of a video. The same figures, unrounded, are in {file}."
)
_COMPARED = ("video", "length", "a usable face", "expressions", "cuts per minute", "tags", "nearest")
_NUMBERS = ("length", "a usable face", "cuts per minute")
LEAST_CONTRIBUTION = 0.05
"""Smallest contribution, in logits, of a reason that is shown."""


def key_figures(profile: Profile) -> list[tuple[str, str, str]]:
    """The main figures as rows of name, value and the basis of measurement."""
    coverage, faces, shots, picture = profile.coverage, profile.faces, profile.shots, profile.picture
    of_faces = f"of {coverage.face_s:.1f} s of usable faces"
    shares = [(label, share) for label, share in profile.expressions.share.items() if share]
    shares.sort(key=lambda item: -item[1])
    rows = [
        ("length analysed", clock(coverage.span_s), f"{coverage.observed_share:.0%} observed"),
        ("a usable face", f"{coverage.face_share:.0%}", f"of {coverage.observed_s:.1f} s observed"),
        ("expressions", ", ".join(f"{label} {share:.0%}" for label, share in shares) or "none", of_faces),
        ("intensity", _number(profile.expressions.intensity), of_faces + "; 1 minus neutral"),
        ("not marked unsure", _percent(coverage.sure_share), of_faces),
        ("changes of expression", _number(profile.transitions.per_face_minute, 1, " per minute"), of_faces),
        ("two faces or more", _percent(profile.co_occurrence.coverage), "of the observed time"),
        ("longest time without a face", f"{faces.longest_without_s:.1f} s", ""),
        ("brightness", _percent(picture.brightness), f"{picture.coverage:.0%} of the observed time"),
        ("change over 0.2 s", _percent(picture.motion, 1), f"{picture.motion_coverage:.0%} of the observed time"),
    ]
    if shots is not None:
        rows += [
            ("shots", f"{shots.n_shots}, median {shots.median_s:.1f} s", f"{shots.coverage:.0%} of the video observed"),
            ("cuts per minute", _number(shots.cuts_per_minute, 1), f"over {coverage.observed_s:.1f} s"),
            ("faces per shot", _number(faces.faces_per_shot), f"faces in {faces.shots_with_faces} of {shots.n_shots}"),
        ]
    return rows


def sheet_page(
    profile: Profile,
    tags: Sequence[TagScore],
    figures: Sequence[tuple[str, str, bytes]],
    remark: str,
    *,
    links: Mapping[str, str],
) -> str:
    """The page of one video. `figures` are heading, description and PNG; `remark` explains missing stills.

    `links` are texts and addresses of the other pages of the run.
    """
    parts = [
        f"<h1>{escape(profile.source.name)}</h1>",
        '<p class="quiet">How its faces look over its length, and the tags this supports.</p>',
        *(f'<p class="note">{escape(note)}</p>' for note in profile.notes),
        "<h2>In figures</h2>",
        html_table(("", "value", "measured in"), key_figures(profile)),
        *(html_figure(*figure) for figure in figures),
        f'<p class="note">{escape(remark)}</p>' if remark else "",
        "<h2>Tags that the profile supports</h2>",
        _tags(tags),
    ]
    return html_page(profile.source.name, parts, says=_SAYS.format(file=PROFILE), links=links)


def comparison_page(
    profiles: Sequence[Profile],
    tags: Sequence[Sequence[TagScore]],
    figures: Sequence[tuple[str, str, bytes]],
    nearest: Sequence[tuple[str, float] | None],
    remarks: Sequence[str],
    *,
    addresses: Sequence[str],
    links: Mapping[str, str],
) -> str:
    """The page of many videos: plots, then a row per video with its best supported tags and nearest other video.

    `addresses` are of each video's own page, empty where it has none; `links` are texts and addresses of other pages.
    """
    rows = [
        (
            profile.source.name,
            clock(profile.coverage.span_s, hides_hours=True),
            f"{profile.coverage.face_share:.0%}",
            _best_expressions(profile),
            "not measured" if profile.shots is None else _number(profile.shots.cuts_per_minute, 1),
            tags_in_words(of_video).split(":")[0],
            "" if near is None else f"{near[0]} ({near[1]:.2f})",
        )
        for profile, of_video, near in zip(profiles, tags, nearest, strict=True)
    ]
    cells = [
        [f'<a href="{escape(address)}">{escape(name)}</a>' if address else escape(name), *map(escape, rest)]
        for (name, *rest), address in zip(rows, addresses, strict=True)
    ]
    parts = [
        f"<h1>Comparison of {len(profiles)} videos</h1>",
        '<p class="quiet">Shares are of the time with usable faces, which has a column of its own.</p>',
        *(f'<p class="note">{escape(remark)}</p>' for remark in remarks),
        *(html_figure(*figure) for figure in figures),
        "<h2>Each video</h2>",
        table_of_cells(
            ("video", "length", "a usable face", "expressions", "cuts per minute", "tags", "nearest"), cells
        ),
        f"<p>{escape(REFERENCE)}</p>",
    ]
    return html_page(f"{len(profiles)} videos", parts, says=_SAYS.format(file=PROFILES_TABLE), links=links)


def tags_in_words(tags: Sequence[TagScore]) -> str:
    """The suggested tags with their scores, or why there are none."""
    if tags and tags[0].status == INSUFFICIENT and all(tag.status == INSUFFICIENT for tag in tags):
        return f"{INSUFFICIENT}: {tags[0].why_not}"
    named = [f"{tag.tag} {tag.score:.2f}" for tag in tags if tag.status == "suggested" and tag.score is not None]
    return ", ".join(named) or "none supported"


def reasons_in_words(tag: TagScore) -> list[str]:
    """Each relevant reason of a tag: sign and size, the figure, the share of time behind it, and why."""
    return [
        f"{reason.contribution:+.1f}  {reason.words} (measured in {reason.coverage:.0%} of the video)"
        + (f"; {reason.reason}" if reason.reason else "")
        for reason in tag.reasons
        if abs(reason.contribution) >= LEAST_CONTRIBUTION
    ]


def _tags(tags: Sequence[TagScore]) -> str:
    if tags and all(tag.status == INSUFFICIENT for tag in tags):
        return f'<p class="note">Insufficient evidence: {escape(tags[0].why_not)}.</p>'
    rows = []
    for tag in tags:
        score = INSUFFICIENT if tag.score is None or tag.interval is None else f"{tag.score:.2f}"
        spread = "" if tag.interval is None else f"{tag.interval[0]:.2f} to {tag.interval[1]:.2f}"
        faces = _percent(tag.from_faces)
        why = "<br>".join(escape(reason) for reason in reasons_in_words(tag)) or escape(tag.why_not)
        cells = (tag.tag, score, spread, tag.status, faces, f"{tag.coverage:.0%}")
        rows.append([*(escape(cell) for cell in cells), why])
    heads = ("tag", "score", "90 % interval", "", "from faces", "coverage", "reasons, in logits")
    words = (
        "The interval resamples the twenty parts of the video: it shows how much a score depends on single moments. "
        + REFERENCE
    )
    return table_of_cells(heads, rows) + f"<p>{escape(words)}</p>"


def _best_expressions(profile: Profile) -> str:
    shares = sorted(profile.expressions.share.items(), key=lambda item: -(item[1] or 0.0))
    return ", ".join(f"{label} {share:.0%}" for label, share in shares[:3] if share) or "none"


def _number(value: float | None, digits: int = 2, unit: str = "") -> str:
    return "not measured" if value is None else f"{value:.{digits}f}{unit}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "not measured" if value is None else f"{value:.{digits}%}"
