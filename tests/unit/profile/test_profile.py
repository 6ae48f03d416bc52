"""Profiles of made-up tables: every figure worked out on paper, each with the time that it was measured in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fervid.errors import InputError
from fervid.interpret.build import FrameIntervals
from fervid.profile.integrate import integrate, mean_curve
from fervid.profile.measure import profile_run
from fervid.profile.profile import N_BINS, read_profile
from fervid.run.files import PROFILE
from profiles import LABELS, manifest, profile, steady, write_run


def test_without_frames_everything_is_unknown_and_said_to_be() -> None:
    found = profile(0.0)
    assert found.coverage.observed_s == found.coverage.face_s == 0
    assert found.expressions.intensity is None
    assert set(found.expressions.share.values()) == {None}
    assert found.notes[0] == "No frame was analysed, so there are no figures."


def test_without_faces_nothing_is_said_of_expressions_but_the_picture_is_measured() -> None:
    found = profile(4.0, brightness=0.1, motion=0.03)
    assert found.coverage.face_share == 0
    assert set(found.expressions.mean.values()) == {None}
    assert found.peaks == ()
    assert found.picture.brightness == pytest.approx(0.1)
    assert found.picture.dark_share == 1
    assert found.picture.motion == pytest.approx(0.03)
    assert found.picture.motion_coverage == pytest.approx(39 / 40)
    assert found.faces.longest_without_s == pytest.approx(4.0)
    assert "No usable face was found" in found.notes[0]
    assert np.isnan(found.arc.mean).all()


def test_shares_and_intensity_are_of_face_time_with_their_coverage() -> None:
    # 4 s: happy for 1 s, neutral for 1 s, then nobody.
    faces = [*steady(4, "happy", until=0.25), *[(i, 1, "neutral") for i in range(10, 20)]]
    found = profile(4.0, faces, value=0.8)
    assert found.coverage.face_share == pytest.approx(0.5)
    assert found.expressions.face_s == pytest.approx(2.0)
    assert found.expressions.share["happy"] == pytest.approx(0.5)
    assert found.expressions.share["sad"] == 0
    assert found.expressions.mean["happy"] == pytest.approx((0.8 + 0.05) / 2)
    assert found.expressions.intensity == pytest.approx(1 - (0.05 + 0.8) / 2)
    assert found.faces.longest_without_s == pytest.approx(2.0)
    assert found.faces.height_share == pytest.approx(0.25)
    assert found.coverage.n_tracks == 2


def test_the_arc_is_exact_in_every_bin() -> None:
    # Bins of 0.2 s: angry up to 1.3 s, happy up to 3 s, nobody up to 4 s.
    faces = [(i, 0, "angry" if i < 13 else "happy") for i in range(30)]
    arc = profile(4.0, faces).arc
    angry, happy = LABELS.index("angry"), LABELS.index("happy")
    assert arc.observed_s == pytest.approx(np.full(N_BINS, 0.2))
    assert arc.coverage == pytest.approx([1.0] * 15 + [0.0] * 5)
    assert arc.share[:6, angry] == pytest.approx(1.0)
    assert arc.share[6, [angry, happy]] == pytest.approx(0.5)
    assert arc.share[7:15, happy] == pytest.approx(1.0)
    assert np.isnan(arc.share[15:]).all()
    assert arc.transitions.tolist() == [float(i == 6) for i in range(N_BINS)]


def test_faces_of_low_quality_are_left_out_and_unsure_ones_counted_as_such() -> None:
    reasons = ["low_quality"] * 10 + ["blurred"] * 10 + ["unsure"] * 10 + [None] * 10
    found = profile(4.0, steady(4, "sad"), reasons=reasons)
    assert found.coverage.face_share == pytest.approx(0.5)
    assert found.coverage.sure_share == pytest.approx(0.5)
    assert [peak.time_s >= 3 for peak in found.peaks] == [True]


def test_corrupt_frames_say_nothing() -> None:
    whole, damaged = profile(2.0, steady(2, "sad")), profile(2.0, steady(2, "sad", until=0.5), corrupt=range(10, 20))
    assert whole.coverage.observed_share == pytest.approx(1.0)
    assert damaged.coverage.observed_share == pytest.approx(0.5)
    assert damaged.coverage.face_share == pytest.approx(1.0)


def test_transitions_are_counted_along_tracks_without_unsure_faces() -> None:
    story = ["sad", "happy", "happy", "sad", "angry"]
    faces = [(i, 0, label) for i, label in enumerate(story)] + [(i, 1, "happy") for i in range(5)]
    counts = np.array(profile(0.5, faces).transitions.counts)
    angry, happy, sad = (LABELS.index(label) for label in ("angry", "happy", "sad"))
    assert (counts[sad, happy], counts[happy, sad], counts[sad, angry], counts.sum()) == (1, 1, 1, 3)
    unsure = profile(0.5, faces, reasons=[None, "unsure", "unsure", None, None, *[None] * 5])
    assert np.array(unsure.transitions.counts).sum() == 1
    assert unsure.transitions.per_face_minute == pytest.approx(60 / 1.0)


def test_co_occurrence_is_time_with_both_on_screen() -> None:
    faces = [*steady(2, "sad"), *steady(2, "happy", until=0.5, track=1), *steady(2, "sad", until=0.25, track=2)]
    found = profile(2.0, faces)
    pairs = np.array(found.co_occurrence.pair_s)
    happy, sad = LABELS.index("happy"), LABELS.index("sad")
    assert found.co_occurrence.seconds == pytest.approx(1.0)
    assert found.co_occurrence.coverage == pytest.approx(0.5)
    assert pairs[sad, happy] == pairs[happy, sad] == pytest.approx(1.0)
    assert pairs[sad, sad] == pytest.approx(0.5)
    assert pairs.sum() == pytest.approx(2.5)
    assert found.arc.mixed_s.sum() == pytest.approx(1.0)


def test_shots_have_lengths_rates_and_faces() -> None:
    found = profile(6.0, [*steady(6, "sad", until=0.5), *[(i, 1, "happy") for i in range(40, 60)]], cuts=[10, 40])
    assert found.shots is not None
    assert found.shots.n_shots == 3
    assert found.shots.cuts_per_minute == pytest.approx(20.0)
    assert (found.shots.shortest_s, found.shots.median_s, found.shots.longest_s) == pytest.approx((1.0, 2.0, 3.0))
    assert found.arc.cuts.sum() == 2
    assert found.faces.faces_per_shot == pytest.approx(1.0)
    assert found.faces.shots_with_faces == 3


def test_without_a_search_for_cuts_shots_are_unknown_not_one() -> None:
    found = profile(6.0, steady(6, "sad"), find_cuts=False)
    assert found.shots is None
    assert found.faces.faces_per_shot is None
    assert np.isnan(found.arc.cuts).all()
    assert any("find_cuts=false" in note for note in found.notes)


def test_peaks_are_strong_sure_apart_and_never_neutral() -> None:
    faces = [(i, 0, "happy" if i < 20 else "neutral") for i in range(60)]
    peaks = profile(6.0, faces).peaks
    assert [peak.label for peak in peaks] == ["happy"] * len(peaks)
    assert 1 <= len(peaks) <= 2
    assert np.diff([peak.time_s for peak in peaks]).min(initial=9) >= 1.0
    assert profile(6.0, faces, value=0.3).peaks == ()


def test_integrals_are_exact_whatever_bins_a_spell_crosses() -> None:
    intervals = FrameIntervals(np.array([0.0, 1.0, 4.0]), np.array([1.0, 3.0, 5.0]))  # nothing from 3 to 4
    found = integrate(np.array([0.0, 0.5, 2.0, 3.5, 5.0]), intervals, np.array([2.0, 1.0, 10.0]))
    assert found == pytest.approx([1.0, 2.0, 1.0, 10.0])
    assert integrate(np.array([0.0, 1.0]), FrameIntervals(np.zeros(0), np.zeros(0)), np.zeros((0, 3))).shape == (1, 3)


def test_a_profile_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    found = profile(3.0, steady(3, "sad", until=0.4), cuts=[12])
    path = found.write(tmp_path, genres=[])
    assert read_profile(path).to_json() == found.to_json()
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["arc"]["coverage"][-1] == 0
    assert content["arc"]["mean"][-1] == [None] * len(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a profile"),
        ("[]", "is not a profile"),
        ('{"schema_version": 9}', "version 9"),
        (None, "not exist"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "profile.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_profile(path)


def test_a_run_of_an_older_version_is_profiled_without_the_picture(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_run(tmp_path / "old", 3.0, steady(3, "sad"))
    frames = pq.read_table(folder / "frames.parquet").drop_columns(["brightness", "motion"])
    pq.write_table(frames, folder / "frames.parquet")
    found = profile_run(folder)
    assert found.picture.brightness is found.picture.motion is None
    assert any("no brightness" in note for note in found.notes)
    assert manifest(3.0)["model"]["labels"] == list(found.labels)


@pytest.mark.parametrize("seconds", [0.7, 3.3, 9.9, 10.01])
def test_no_share_exceeds_the_whole(seconds: float) -> None:
    found = profile(seconds, steady(seconds, "sad"))
    shares = [found.coverage.observed_share, found.coverage.face_share, found.picture.coverage, found.faces.coverage]
    shares += [found.coverage.sure_share or 0.0, found.picture.motion_coverage, *found.arc.coverage.tolist()]
    assert max(shares) <= 1.0
    assert found.coverage.face_share == pytest.approx(1.0)


def test_the_action_is_the_mean_of_the_time_in_which_it_is_known() -> None:
    intervals = FrameIntervals(np.array([0.0, 1.0, 4.0]), np.array([1.0, 3.0, 5.0]))
    found = mean_curve(np.array([0.0, 2.0, 3.0, 5.0, 6.0]), intervals, np.array([0.2, 0.4, np.nan]))
    assert found == pytest.approx([0.3, 0.4, np.nan, np.nan], nan_ok=True)


def test_a_profile_without_motion_has_no_action_and_comes_back(tmp_path: Path) -> None:
    made = profile(6.0, [(i, 0, "happy") for i in range(60)])
    assert np.isnan(made.arc.action).all()
    made.write(tmp_path)
    again = read_profile(tmp_path / PROFILE)
    assert np.isnan(again.arc.action).all()
    content = json.loads((tmp_path / PROFILE).read_text())
    del content["arc"]["action"]  # as an earlier fervid wrote it
    (tmp_path / PROFILE).write_text(json.dumps(content))
    assert np.isnan(read_profile(tmp_path / PROFILE).arc.action).all()
