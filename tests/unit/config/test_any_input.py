"""Whatever is typed or written into a file: a sound value or one clear error, never anything else."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fervid.alerts.language.rules import load_rules
from fervid.base.geometry import clip_boxes, iou_matrix, pad_boxes
from fervid.base.printable import one_line, printable
from fervid.base.types import VideoInfo
from fervid.batch.failures import recall
from fervid.batch.inputs import find_videos
from fervid.config import Settings, load_settings, parse_time
from fervid.errors import ConfigError, FervidError, InputError
from fervid.run.files import MANIFEST, RUN_NAME
from fervid.run.handle import run_folder_name
from fervid.run.manifest import manifest_content
from fervid.upkeep.retention import parse_age
from fervid.video.probe import PacketPlan
from fervid.video.sampling import sampling_slot
from fervid.video.segments import plan_segments

few = settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])

names = st.binary(min_size=1, max_size=60).map(lambda raw: raw.replace(b"\0", b"-").replace(b"/", b"-"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
keys = st.sampled_from([f"{section}.{key}" for section in Settings.model_fields for key in ("fps", "x", "min_iou", "")])


@few
@given(st.floats(0, 360_000))
def test_a_time_is_read_as_it_is_written(seconds: float) -> None:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{int(hours):02d}:{int(minutes):02d}:{rest:09.6f}"
    if not text.endswith("60.000000"):
        assert parse_time(text) == pytest.approx(seconds, abs=1e-6)
    assert parse_time(f"{seconds:.6f}s") == pytest.approx(seconds, abs=1e-6)


@few
@given(st.text(max_size=20) | st.from_regex(r"[0-9:.s]{1,12}", fullmatch=True))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for parse in (parse_time, parse_age):
        try:
            seconds = parse(text)
        except ConfigError:
            continue
        assert math.isfinite(seconds)
        assert seconds >= 0


@few
@given(st.lists(st.tuples(keys | st.text(max_size=15), st.text(max_size=15)), max_size=3))
def test_any_assignments_make_settings_or_are_refused(pairs: list[tuple[str, str]]) -> None:
    for sources in (
        {"assignments": [f"{key}={value}" for key, value in pairs], "environment": {}},
        {"environment": {f"FERVID_{key.upper().replace('.', '__')}": value for key, value in pairs}},
    ):
        try:
            made = load_settings(**sources)  # type: ignore[arg-type]
        except ConfigError:
            continue
        assert Settings.model_validate(json.loads(made.model_dump_json())) == made


@few
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_file_of_settings_or_rules_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        path.write_bytes(content)
        for read in (lambda: load_settings(file=path, environment={}), lambda: load_rules(str(path))):
            with suppress(ConfigError):
                read()


@few
@given(st.dictionaries(st.sampled_from(["video", "track", "x"]), json_values, max_size=3))
def test_any_keys_are_settings_or_refused_by_name(content: dict[str, object]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "settings.toml"
        lines = [f"{key} = {json.dumps(value)}" for key, value in content.items() if value is not None]
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            made = load_settings(file=path, environment={})
        except ConfigError:
            return
        assert not [key for key in content if key == "x" and content[key] is not None], made


@few
@given(st.binary(max_size=120) | st.text(max_size=120).map(str.encode))
def test_any_list_of_videos_is_read_or_refused(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        for name in ("list.csv", "list.txt"):
            path = Path(folder) / name
            path.write_bytes(b"path,fps\n" + content if name.endswith("csv") else content)
            try:
                found = find_videos([f"@{path}"])
            except FervidError:
                continue
            assert found.is_many


@few
@given(json_values | st.binary(max_size=40))
def test_any_manifest_or_record_is_read_or_passed_over(content: object) -> None:
    with TemporaryDirectory() as folder:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (Path(folder) / MANIFEST).write_bytes(raw)
        with pytest.raises(InputError):
            manifest_content(Path(folder))
        (Path(folder) / "failed").mkdir()
        (Path(folder) / "failed" / "run.json").write_bytes(raw)
        method = SimpleNamespace(observe_key="key")
        assert recall(SimpleNamespace(folder=Path(folder) / "run", method=method, video_id="id")) is None  # type: ignore[arg-type]


@few
@given(names)
def test_any_name_makes_a_plain_folder_and_one_line(raw: bytes) -> None:
    path = Path(printable(raw)) if b"\0" in raw else Path(raw.decode("utf-8", "surrogateescape"))
    folder = run_folder_name(path, "0123456789abcdef")
    assert RUN_NAME.fullmatch(folder)
    assert len(folder) < 100
    assert one_line(path).isprintable()


boxes = st.integers(0, 6).flatmap(
    lambda n: arrays.arrays(np.float32, (n, 4), elements=st.floats(-2000, 2000, width=32, allow_subnormal=False))
)


@few
@given(boxes, boxes, st.floats(0, 1), st.integers(1, 4000), st.integers(1, 4000))
def test_boxes_overlap_by_a_share_and_stay_in_the_frame(
    a: np.ndarray, b: np.ndarray, margin: float, width: int, height: int
) -> None:
    overlap = iou_matrix(a, b)
    assert overlap.shape == (len(a), len(b))
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all()
    np.testing.assert_allclose(overlap, iou_matrix(b, a).T)
    clipped = clip_boxes(pad_boxes(a, margin, margin), width, height)
    assert (clipped >= 0).all()
    assert (clipped <= [width, height, width, height]).all()


@few
@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=200),
    st.integers(-1000, 1000),
    st.floats(1, 20),
    st.sampled_from([0.0, 1.0, 5.0, 29.97]),
    st.floats(0, 60),
    st.data(),
)
def test_segments_share_a_video_out_without_gap_or_overlap(
    gaps: list[int], first: int, segment_seconds: float, fps: float, start: float, data: st.DataObject
) -> None:
    pts = np.cumsum([first, *gaps]).astype(np.int64)
    keys = data.draw(st.sets(st.integers(0, len(pts) - 1), max_size=20).map(lambda found: sorted({0, *found})))
    time_base = Fraction(1, 50)
    info = VideoInfo(
        path=Path("v.mp4"),
        width_px=320,
        height_px=240,
        average_frame_rate=25.0,
        is_variable_rate=True,
        duration_seconds=float((pts[-1] - pts[0]) * time_base),
        start_time_seconds=float(pts[0] * time_base),
        time_base=time_base,
        codec="h264",
        container="mov",
        rotation_degrees=0,
        sample_aspect_ratio=Fraction(1),
        time_source="pts",
    )
    plan = PacketPlan(pts, int(pts[-1]) + 1, pts[keys], len(pts), True, True, True, pts[keys])
    segments = plan_segments("id", info, plan, segment_seconds=segment_seconds, fps=fps)
    assert segments[0].start_pts is None
    assert segments[-1].end_pts is None
    assert [segment.index for segment in segments] == list(range(len(segments)))
    for before, after in pairwise(segments):
        assert before.end_pts == after.start_pts
        assert before.end_seconds == after.start_seconds > before.start_seconds
        assert after.start_pts in set(pts[keys].tolist())
    part = plan_segments("id", info, plan, segment_seconds=segment_seconds, fps=fps, start_seconds=start)
    assert {(s.start_pts, s.end_pts) for s in part} <= {(s.start_pts, s.end_pts) for s in segments}


@few
@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0.01, 1000))
def test_slots_never_run_backwards(seconds: float, later: float, fps: float) -> None:
    assert sampling_slot(seconds, fps) <= sampling_slot(seconds + later, fps)
