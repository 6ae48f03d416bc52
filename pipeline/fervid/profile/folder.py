"""Profile runs: one into its folder, many into a table and a page beside them. Only composes: measures and draws
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from fervid.base.printable import counted
from fervid.errors import OutputError
from fervid.profile.features import profile_features
from fervid.profile.genre import Genres, TagScore, suggest_tags
from fervid.profile.measure import profile_run
from fervid.profile.profile import PROFILE_VERSION, Profile
from fervid.profile.similarity import Match, in_a_row, meanings_of_axes, place_on_map, rank_like, similarity_matrix
from fervid.profile.stills import Blur, take_stills
from fervid.run.derived import publish_derived
from fervid.run.elsewhere import Elsewhere
from fervid.run.files import COMPARISON, PROFILE, PROFILE_PAGE, PROFILE_PLOT, PROFILES_TABLE, pages_beside
from fervid.run.find import Guard, unguarded
from fervid.run.io import table_bytes
from fervid.run.manifest import json_bytes
from fervid.run.writing import writing

MOST_COMPARED = 60
"""Largest number of videos in the plots of a comparison page, to stay readable. The table has all of them."""


@dataclass(frozen=True, slots=True)
class Profiled:
    """A profiled run."""

    folder: Path
    profile: Profile
    tags: tuple[TagScore, ...]


def profile_runs(folders: Sequence[Path], genres: Genres, *, guarded: Guard = unguarded) -> list[Profiled]:
    """Profile runs and write profile.json into each. Raises InputError or OutputError, unless `guarded` takes it."""
    profiled = []
    for folder in folders:
        with guarded(folder):
            profiled.append(_profiled(folder, genres))
    return profiled


def _profiled(folder: Path, genres: Genres) -> Profiled:
    profile = profile_run(folder)
    tags = suggest_tags(profile, genres)
    content = profile.to_json() | {"genres": [asdict(tag) for tag in tags]}
    with writing(folder, profile.source.settings_hash):
        try:
            publish_derived(folder, {PROFILE: json_bytes(content)})
        except OSError as problem:
            raise OutputError(f"{folder} cannot be written ({problem.strerror}). Check its permissions.") from None
    return Profiled(folder, profile, tags)


def write_sheet(done: Profiled, *, blur: Blur = "all", apart: Elsewhere | None = None) -> tuple[Path, Path]:
    """Draw the sheet of a run into its folder: profile.html and profile.png. With `apart` a worker takes the stills."""
    from fervid.profile.charts import draw_moments, draw_over_time, draw_sheet
    from fervid.profile.page import key_figures, sheet_page, tags_in_words

    profile = done.profile
    if apart is None:
        stills, remark = take_stills(done.folder, profile, blur=blur)
    else:
        stills, remark = apart.run("stills", done.folder, profile, blur, video=Path(profile.source.name))
    figures = [
        (
            "Over its length",
            "Mean probability and share of each expression, coverage, cuts per minute, brightness and motion",
            draw_over_time(profile),
        ),
    ]
    if stills:
        covered = "faces covered" if blur != "none" else "faces shown as requested"
        figures.append(("Peaks", f"The strongest moments of each expression, {covered}", draw_moments(stills)))
    lines = [f"{name}: {value} ({within})" for name, value, within in key_figures(profile)[:3]]
    lines += [*profile.notes, f"tags: {tags_in_words(done.tags)}", *([remark] if remark else [])]
    page, plot = done.folder / PROFILE_PAGE, done.folder / PROFILE_PLOT
    contents = {
        PROFILE_PAGE: sheet_page(
            profile, done.tags, figures, remark, links=pages_beside(done.folder, PROFILE_PAGE)
        ).encode(),
        PROFILE_PLOT: draw_sheet(profile, stills, lines),
    }
    with writing(done.folder, profile.source.settings_hash):
        try:
            publish_derived(done.folder, contents)
        except OSError as problem:
            raise OutputError(f"{page} cannot be written ({problem.strerror}). Check its folder.") from None
    return page, plot


def write_comparison(profiled: Sequence[Profiled], out: Path) -> tuple[Path, Path]:
    """Write profiles.parquet and comparison.html, with its plots as PNG files, into `out`."""
    from fervid.profile.charts import draw_map, draw_matrix, draw_multiples
    from fervid.profile.page import comparison_page

    profiles = [done.profile for done in profiled]
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    table = table_bytes(profiles_table(profiled), {"profile_version": str(PROFILE_VERSION)})
    shown, some = profiled[:MOST_COMPARED], profiles[:MOST_COMPARED]
    names = [profile.source.name for profile in some]
    places, shares = place_on_map(some)
    has_faces = [profile.coverage.covered_s > 0 for profile in some]
    matrix = similarity_matrix(some)
    order = in_a_row(matrix)
    plots = {
        "comparison-map.png": draw_map(names, places, shares, has_faces, meanings_of_axes(some, places)),
        "comparison-matrix.png": draw_matrix([names[i] for i in order], matrix[np.ix_(order, order)]),
    }
    figures = [
        ("Map", "Videos on two principal axes of their profiles: near means similar", plots["comparison-map.png"]),
        (
            "Similarity",
            "Cosine of the profiles of each pair, sorted by similarity",
            plots["comparison-matrix.png"],
        ),
    ]
    if any(has_faces):
        arcs = draw_multiples([profile for profile, has in zip(some, has_faces, strict=True) if has])
        plots["comparison-arcs.png"] = arcs
        figures.insert(0, ("Dominant expression over each video", "Stacked shares over time for each video", arcs))
    remarks = []
    if len(profiled) > len(shown):
        remarks.append(f"{len(profiled) - len(shown)} more videos are in {PROFILES_TABLE} and not on this page.")
    if not all(has_faces):
        faceless = ", ".join(name for name, has in zip(names, has_faces, strict=True) if not has)
        remarks.append(f"No usable face was found in {counted(has_faces.count(False), 'video')}: {faceless}.")
    page = comparison_page(
        some,
        [done.tags for done in shown],
        figures,
        _nearest(some, matrix),
        remarks,
        addresses=[_address(done.folder, out) for done in shown],
        links=pages_beside(out, COMPARISON),
    )
    try:
        publish_derived(out, {PROFILES_TABLE: table, **plots, COMPARISON: page.encode()})
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None
    return out / PROFILES_TABLE, out / COMPARISON


def _address(run: Path, out: Path) -> str:
    """The page of a run as seen from the folder of the comparison; empty where it has none."""
    page = run / PROFILE_PAGE
    return quote(os.path.relpath(page, out)) if page.is_file() else ""


def rank_runs(wanted: Profile, profiled: Sequence[Profiled]) -> tuple[Match, ...]:
    """Every other video, the most similar first."""
    others = [done.profile for done in profiled if done.profile.source.video_id != wanted.source.video_id]
    return rank_like(wanted, others)


def profiles_table(profiled: Sequence[Profiled]) -> pa.Table:
    """One row per video: what was visible, every figure, the curves of the arc, and the score of each tag."""
    profiles = [done.profile for done in profiled]
    columns: dict[str, pa.Array] = {
        "video_id": pa.array([profile.source.video_id for profile in profiles]),
        "name": pa.array([profile.source.name for profile in profiles]),
        "run": pa.array([done.folder.name for done in profiled]),
        "settings_hash": pa.array([profile.source.settings_hash for profile in profiles]),
        "span_s": pa.array([profile.coverage.span_s for profile in profiles]),
        "observed_s": pa.array([profile.coverage.observed_s for profile in profiles]),
        "covered_s": pa.array([profile.coverage.covered_s for profile in profiles]),
        "face_s": pa.array([profile.coverage.face_s for profile in profiles]),
    }
    features = [profile_features(profile) for profile in profiles]
    for name in dict.fromkeys(name for row in features for name in row):
        columns[name] = pa.array([row.get(name) for row in features], pa.float64(), from_pandas=True)
    for name in ("coverage", "intensity", "cuts", "brightness", "motion"):
        curves = [getattr(profile.arc, name) for profile in profiles]
        columns[f"arc_{name}"] = _lists(curves)
    for label in dict.fromkeys(label for profile in profiles for label in profile.labels):
        curves = [
            profile.arc.mean[:, profile.labels.index(label)]
            if label in profile.labels
            else np.full(len(profile.arc.start_s), np.nan)
            for profile in profiles
        ]
        columns[f"arc_mean_{label}"] = _lists(curves)
    for tag in sorted({found.tag for done in profiled for found in done.tags}):
        scores = [{found.tag: found.score for found in done.tags}.get(tag) for done in profiled]
        columns[f"tag_{tag}"] = pa.array(scores, pa.float64())
    return pa.table(columns)


def _lists(curves: Sequence[np.ndarray]) -> pa.Array:
    return pa.array(
        [[None if np.isnan(value) else float(value) for value in curve] for curve in curves], pa.list_(pa.float64())
    )


def _nearest(profiles: Sequence[Profile], matrix: np.ndarray) -> list[tuple[str, float] | None]:
    """The name and the cosine of the most similar other video; None for a single video."""
    others = np.where(np.eye(len(matrix), dtype=bool), -1.0, matrix)
    best = others.argmax(axis=1) if len(matrix) > 1 else []
    return [(profiles[j].source.name, float(matrix[i, j])) for i, j in enumerate(best)] or [None] * len(profiles)
