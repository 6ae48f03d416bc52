"""Profiles as self-contained HTML pages, of one video or of many. Measures nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from fervid.base.version import __version__
from fervid.profile.genre import INSUFFICIENT, REFERENCE, TagScore
from fervid.profile.profile import Profile
from fervid.run.files import PROFILE, PROFILES_TABLE

_STYLE = """
:root { color-scheme: light dark; --line: #8886; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
p, li { max-width: 48rem; }
.quiet { opacity: .7; }
.note { border-left: 4px solid #D55E00; padding: .1rem .8rem; }
.wide { overflow-x: auto; }
table { font-size: .92rem; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
td { overflow-wrap: anywhere; min-width: 3.2rem; }
td:first-child { min-width: 5.5rem; }
td.figure, th.figure { text-align: right; white-space: nowrap; }
figure { margin: .5rem 0 0; break-inside: avoid; }
img { max-width: 100%; height: auto; background: white; border-radius: 6px; }
footer { margin: 3rem 0 1rem; border-top: 1px solid var(--line); font-size: .9rem; }
@media print {
  :root { color-scheme: light; }
  body { margin: 0; max-width: none; font-size: 11pt; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
}
"""
_FOOTER = (
    "<footer><p>A label says how a face looks, not what a person feels. Tags are suggestions with their reasons, never "
    "the genre of a video.</p><p>Made by fervid {version}. The same figures, unrounded, are in {file}.</p></footer>"
)
LEAST_CONTRIBUTION = 0.05
"""Smallest contribution, in logits, of a reason that is shown."""


def key_figures(profile: Profile) -> list[tuple[str, str, str]]:
    """The main figures as rows of name, value and the basis of measurement."""
    coverage, faces, shots, picture = profile.coverage, profile.faces, profile.shots, profile.picture
    of_faces = f"of {coverage.face_s:.1f} s of usable faces"
    shares = [(label, share) for label, share in profile.expressions.share.items() if share]
    shares.sort(key=lambda item: -item[1])
    rows = [
        ("length analysed", f"{coverage.span_s:.1f} s", f"{coverage.observed_share:.0%} observed"),
        ("a usable face", f"{coverage.face_share:.0%}", f"of {coverage.observed_s:.1f} s observed"),
        ("expressions", ", ".join(f"{label} {share:.0%}" for label, share in shares) or "none", of_faces),
        ("intensity", _number(profile.expressions.intensity), of_faces + "; 1 minus neutral"),
        ("not marked unsure", _percent(coverage.sure_share), of_faces),
        ("changes of expression", f"{_number(profile.transitions.per_face_minute, 1)} per minute", of_faces),
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
    profile: Profile, tags: Sequence[TagScore], figures: Sequence[tuple[str, str, bytes]], remark: str
) -> str:
    """The page of one video. `figures` are heading, description and PNG; `remark` explains missing stills."""
    parts = [
        f"<h1>{escape(profile.source.name)}</h1>",
        '<p class="quiet">How its faces look over its length, and the tags this supports.</p>',
        *(f'<p class="note">{escape(note)}</p>' for note in profile.notes),
        "<h2>In figures</h2>",
        _table(("", "value", "measured in"), key_figures(profile)),
        *(_figure(*figure) for figure in figures),
        f'<p class="note">{escape(remark)}</p>' if remark else "",
        "<h2>Tags that the profile supports</h2>",
        _tags(tags),
        _FOOTER.format(version=escape(__version__), file=PROFILE),
    ]
    return _page(profile.source.name, parts)


def comparison_page(
    profiles: Sequence[Profile],
    tags: Sequence[Sequence[TagScore]],
    figures: Sequence[tuple[str, str, bytes]],
    nearest: Sequence[tuple[str, float] | None],
    remarks: Sequence[str],
) -> str:
    """The page of many videos: plots, then a row per video with its best supported tags and nearest other video."""
    rows = [
        (
            profile.source.name,
            f"{profile.coverage.span_s:.0f} s",
            f"{profile.coverage.face_share:.0%}",
            _best_expressions(profile),
            "not measured" if profile.shots is None else _number(profile.shots.cuts_per_minute, 1),
            tags_in_words(of_video).split(":")[0],
            "" if near is None else f"{near[0]} ({near[1]:.2f})",
        )
        for profile, of_video, near in zip(profiles, tags, nearest, strict=True)
    ]
    parts = [
        f"<h1>Comparison of {len(profiles)} videos</h1>",
        '<p class="quiet">Shares are of the time with usable faces, which has a column of its own.</p>',
        *(f'<p class="note">{escape(remark)}</p>' for remark in remarks),
        *(_figure(*figure) for figure in figures),
        "<h2>Each video</h2>",
        _table(("video", "length", "a usable face", "expressions", "cuts per minute", "tags", "nearest"), rows),
        f"<p>{escape(REFERENCE)}</p>",
        _FOOTER.format(version=escape(__version__), file=PROFILES_TABLE),
    ]
    return _page(f"{len(profiles)} videos", parts)


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
        rows.append("".join(f"<td>{escape(cell)}</td>" for cell in cells) + f"<td>{why}</td>")
    heads = ("tag", "score", "90 % interval", "", "from faces", "coverage", "reasons, in logits")
    words = (
        "The interval resamples the twenty parts of the video: it shows how much a score depends on single moments. "
        + REFERENCE
    )
    return _table_of_cells(heads, rows) + f"<p>{escape(words)}</p>"


def _best_expressions(profile: Profile) -> str:
    shares = sorted(profile.expressions.share.items(), key=lambda item: -(item[1] or 0.0))
    return ", ".join(f"{label} {share:.0%}" for label, share in shares[:3] if share) or "none"


def _figure(heading: str, description: str, png: bytes) -> str:
    data, alt = base64.b64encode(png).decode("ascii"), escape(description)
    return f'<h2>{escape(heading)}</h2>\n<figure><img alt="{alt}" src="data:image/png;base64,{data}"></figure>'


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _table_of_cells(heads, ("".join(f"<td>{escape(text)}</td>" for text in row) for row in rows))


def _table_of_cells(heads: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    lines = [f"<tr>{cells}</tr>" for cells in rows]
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _page(title: str, parts: Iterable[str]) -> str:
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _number(value: float | None, digits: int = 2) -> str:
    return "not measured" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "not measured" if value is None else f"{value:.{digits}%}"
