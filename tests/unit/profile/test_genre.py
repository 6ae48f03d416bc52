"""Genre tags from weights: scores, reasons, evidence; and what a file of weights must not hold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from fervid.errors import ConfigError
from fervid.profile.features import feature_table, profile_features, redrawn_features
from fervid.profile.genre import INSUFFICIENT, NOT_SUPPORTED, SUGGESTED, load_genres, suggest_tags
from profiles import LABELS, profile, steady

WEIGHTS = """
schema_version = 1
[evidence]
min_observed_seconds = 5.0
min_face_seconds = 1.0
min_face_share = 0.1
[tags.sorrow]
bias = -1.0
weights = [{ feature = "share_sad", weight = 2.0, centre = 0.5, scale = 0.25, reason = "sad faces" }]
[tags.haste]
bias = -1.0
weights = [{ feature = "cuts_per_minute", weight = 1.0, centre = 20, scale = 10, reason = "cut quickly" }]
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "weights.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_weights_fit_the_labels_of_the_shipped_model_and_give_reasons() -> None:
    from fervid.train.data.fer2013 import EMOTIONS

    genres = load_genres()
    table = feature_table(tuple(EMOTIONS))
    for tag in genres.tags.values():
        assert tag.about
        assert all(weight.feature in table and weight.reason for weight in tag.weights)


def test_a_score_is_the_logistic_sum_of_its_reasons(tmp_path: Path) -> None:
    found = profile(10.0, [(i, 0, "sad" if i < 60 else "happy") for i in range(100)], cuts=[25, 50, 75])
    sorrow, haste = suggest_tags(found, load_genres(written(tmp_path, WEIGHTS)))
    assert (sorrow.tag, haste.tag) == ("sorrow", "haste")
    assert sorrow.reasons[0].contribution == pytest.approx(2.0 * (0.6 - 0.5) / 0.25)
    assert sorrow.score == pytest.approx(1 / (1 + np.exp(-(-1.0 + 0.8))))
    assert sorrow.reasons[0].words == "60% of face time labelled sad"
    assert haste.score == pytest.approx(1 / (1 + np.exp(1.0 + 0.2)))
    assert (sorrow.from_faces, haste.from_faces) == (1.0, 0.0)
    assert sorrow.interval is not None
    assert sorrow.interval[0] < sorrow.score < sorrow.interval[1]


def test_no_figure_counts_for_more_than_twice_its_scale(tmp_path: Path) -> None:
    sorrow = suggest_tags(profile(10.0, steady(10, "sad")), load_genres(written(tmp_path, WEIGHTS)))[0]
    assert sorrow.score == pytest.approx(1 / (1 + np.exp(-(-1.0 + 2.0 * 2))))
    assert sorrow.status == SUGGESTED
    cheerful = suggest_tags(profile(10.0, steady(10, "happy")), load_genres(written(tmp_path, WEIGHTS)))
    assert {tag.tag: tag.status for tag in cheerful}["sorrow"] == NOT_SUPPORTED


@pytest.mark.parametrize(
    ("seconds", "until", "words"),
    [(4.0, 1.0, "4.0 s of video"), (20.0, 0.04, r"0.8 s \(4%\)"), (20.0, 0.0, r"0.0 s \(0%\)")],
    ids=["too short", "too few faces", "no face"],
)
def test_thin_evidence_gives_no_score(tmp_path: Path, seconds: float, until: float, words: str) -> None:
    found = suggest_tags(profile(seconds, steady(seconds, "sad", until=until)), load_genres(written(tmp_path, WEIGHTS)))
    for tag in found:
        assert (tag.status, tag.score, tag.interval, tag.reasons) == (INSUFFICIENT, None, None, ())
        assert re.search(words, tag.why_not)


def test_a_tag_without_its_figures_is_not_scored_while_others_are(tmp_path: Path) -> None:
    found = suggest_tags(profile(10.0, steady(10, "sad"), find_cuts=False), load_genres(written(tmp_path, WEIGHTS)))
    assert {tag.tag: tag.status for tag in found} == {"sorrow": SUGGESTED, "haste": INSUFFICIENT}
    assert found[1].why_not == "not measured: cuts_per_minute"


def test_a_usual_label_that_the_model_lacks_counts_as_not_measured(tmp_path: Path) -> None:
    assert "surprise" not in LABELS
    genres = load_genres(written(tmp_path, WEIGHTS.replace("share_sad", "share_surprise")))
    found = {tag.tag: tag for tag in suggest_tags(profile(10.0, steady(10, "sad")), genres)}
    assert found["sorrow"].status == INSUFFICIENT
    assert found["sorrow"].why_not == "not measured: share_surprise"
    assert found["haste"].score is not None


def test_the_interval_is_wide_where_a_score_hangs_on_a_moment(tmp_path: Path) -> None:
    genres = load_genres(written(tmp_path, WEIGHTS))
    even = profile(10.0, [(i, 0, "sad" if i % 2 else "happy") for i in range(100)])
    lumpy = profile(10.0, [(i, 0, "sad" if i < 50 else "happy") for i in range(100)])
    widths = []
    for found in (even, lumpy):
        interval = suggest_tags(found, genres)[0].interval
        assert interval is not None
        widths.append(interval[1] - interval[0])
    assert widths[0] < 0.2 < 0.4 < widths[1]


def test_redrawn_figures_scatter_around_the_figure_and_repeat_themselves() -> None:
    found = profile(10.0, [(i, 0, "sad" if i < 50 else "happy") for i in range(100)])
    drawn = redrawn_features(found)
    assert drawn["share_sad"].mean() == pytest.approx(profile_features(found)["share_sad"], abs=0.02)
    np.testing.assert_array_equal(drawn["share_sad"], redrawn_features(found)["share_sad"])
    assert set(drawn) == set(feature_table(LABELS))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("share_sad", "share_sadd", "Did you mean 'share_sad'"),
        ("share_sad", "xyz", "Use one of share_angry"),
        ("scale = 0.25", "scale = 0", "scale"),
        ("bias = -1.0", "bais = -1.0", "bais|bias"),
        ("schema_version = 1", "schema_version = 2", "schema_version"),
        ("[evidence]", "[evidence", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        suggest_tags(profile(10.0, steady(10, "sad")), load_genres(written(tmp_path, WEIGHTS.replace(old, new))))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_genres(tmp_path / "none.toml")
