"""Settings: where they come from, which are refused, and what their hash stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from fervid.config import OBSERVE_SECTIONS, Settings, load_settings, parse_time, preset_names
from fervid.config.load import load_sourced_settings
from fervid.config.write import as_toml
from fervid.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        ("12.5s", 12.5),
        ("12.5", 12.5),
        ("5.", 5.0),
        (".5", 0.5),
        ("  7s ", 7.0),
        ("1:02", 62.0),
        ("61:00", 3660.0),
        ("00:01:02.5", 62.5),
        ("1:00:00", 3600.0),
        ("100:59:59.75", 363599.75),
    ],
)
def test_a_time_is_read_in_every_spelling(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", ".", "-1", "+1", "1e3", "nan", "inf", "1m", "1:", ":30", "1:02s", "1:2:3:4", "1.5:30", "5 s", "1,5"],
)
def test_a_time_in_another_spelling_is_refused_with_the_right_ones(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not valid\. Write it as 90, 12\.5s or 00:01:02\.5"):
        parse_time(text)


@pytest.mark.parametrize("text", ["1:60", "0:00:60.5", "1:60:00"])
def test_a_field_of_sixty_and_more_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="more than 59"):
        parse_time(text)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("video.fsp=3", r"setting 'video\.fsp' does not exist\. Did you mean 'video\.fps'\?"),
        ("vidio.fps=3", r"setting 'vidio' does not exist\. Did you mean 'video'\?"),
        ("detect.haar.min_neighbors=3", r"'detect\.haar\.min_neighbors' .* mean 'detect\.haar\.min_neighbours'"),
        ("smooth.zzz=3", r"'smooth\.zzz' does not exist\. Use one of smoother, half_life_seconds\."),
        ("fps=3", r"'fps' has no section\. Write section\.key"),
        ("video.fps", r"'video\.fps' has no value"),
        ("video.fps=fast", r"setting video\.fps = 'fast' is not valid"),
        ("video.fps=-1", r"setting video\.fps = -1 is not valid"),
        ("video.fps=nan", r"setting video\.fps = nan is not valid"),
        ("video=3", r"has no section"),
        ("video.fps.more=3", r"setting video\.fps = \{'more': 3\} is not valid"),
        ("track.iou.min_iou=1.5", r"track\.iou\.min_iou = 1\.5"),
    ],
)
def test_a_setting_that_is_unknown_or_out_of_range_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(assignments=[assignment], environment={})


def test_a_key_below_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="'fps' is not a section"):
        load_settings(preset="trailer", assignments=["video.fps.more=3"], environment={})


def test_the_end_has_to_follow_the_start() -> None:
    with pytest.raises(ConfigError, match=r"the end \(2 s\) is not after the start \(5 s\)"):
        load_settings(options={"video.start_seconds": 5.0, "video.end_seconds": 2.0}, environment={})


def test_an_empty_range_is_refused_too() -> None:
    with pytest.raises(ConfigError, match="is not after the start"):
        load_settings(options={"video.start_seconds": 2.0, "video.end_seconds": 2.0}, environment={})


def test_without_sources_every_setting_has_its_default() -> None:
    assert load_settings(environment={}) == Settings()


def test_every_source_takes_precedence_over_the_ones_before(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[video]\nfps = 12.0\n")
    environment = {"FERVID_VIDEO__FPS": "14"}
    assignments = ["video.fps=16"]
    options = {"video.fps": 18.0}
    found = [
        load_settings(environment={}).video.fps,
        load_settings(preset="trailer", environment={}).video.fps,
        load_settings(preset="trailer", file=file, environment={}).video.fps,
        load_settings(preset="trailer", file=file, environment=environment).video.fps,
        load_settings(preset="trailer", file=file, environment=environment, assignments=assignments).video.fps,
        load_settings(
            preset="trailer", file=file, environment=environment, assignments=assignments, options=options
        ).video.fps,
    ]
    assert found == [5.0, 10.0, 12.0, 14.0, 16.0, 18.0]


def test_a_later_source_leaves_the_other_keys_of_a_section_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[track]\nmin_faces = 9\n")
    track = load_settings(preset="cctv", file=file, environment={}).track
    assert (track.min_faces, track.gap_seconds) == (9, 2.0)


def test_of_two_assignments_the_last_one_holds() -> None:
    assert load_settings(assignments=["video.fps=1", "video.fps=2"], environment={}).video.fps == 2.0


def test_an_option_that_was_not_given_changes_nothing() -> None:
    assert load_settings(preset="trailer", options={"video.fps": None}, environment={}).video.fps == 10.0


@pytest.mark.parametrize(
    ("assignment", "value"),
    [("emotion.model=my model", "my model"), ('emotion.model="quoted"', "quoted"), ("emotion.model = a=b ", "a=b")],
)
def test_words_need_no_quotes(assignment: str, value: str) -> None:
    assert load_settings(assignments=[assignment], environment={}).emotion.model == value


def test_the_environment_reaches_nested_sections() -> None:
    environment = {"FERVID_DETECT__HAAR__CASCADE": "default", "FERVID_TEST_DATA": "/nowhere", "PATH": "/bin"}
    settings = load_settings(environment=environment)
    assert settings.detect.haar.cascade == "default"
    assert settings.model_copy(update={"detect": Settings().detect}) == Settings()


def test_an_unknown_setting_in_the_environment_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'video\.fsp' does not exist"):
        load_settings(environment={"FERVID_VIDEO__FSP": "3"})


@pytest.mark.parametrize("content", ["[video\nfps = 3", "fps", "[video]\nfps = 1\nfps = 2", "\xff"])
def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path: Path, content: str) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"broken\.toml is not valid TOML"):
        load_settings(file=file, environment={})


def test_a_file_that_is_missing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml does not exist"):
        load_settings(file=tmp_path / "absent.toml", environment={})


def test_an_unknown_preset_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"preset 'nope' does not exist\. Use one of .*default"):
        load_settings(preset="nope", environment={})


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_changes_something_unless_it_is_the_default(name: str) -> None:
    assert (load_settings(preset=name, environment={}) == Settings()) == (name == "default")


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().video.fps = 3  # type: ignore[misc]


def _settings(*assignments: str) -> Settings:
    return load_settings(assignments=assignments, environment={})


def test_the_hash_depends_on_the_model_and_not_on_where_it_lies() -> None:
    here, there = _settings("emotion.model=/here/model"), _settings("emotion.model=/there/model")
    assert here.hash(model_sha256="a") == there.hash(model_sha256="a")
    assert here.hash(model_sha256="a") != here.hash(model_sha256="b")


@pytest.mark.parametrize(
    "assignment",
    [
        "track.gap_seconds=3",
        "track.cut_threshold=0.5",
        "smooth.half_life_seconds=1",
        "timeline.bin_seconds=5",
        "emotion.labels=mean",
    ],
)
def test_a_setting_of_the_cheap_half_leaves_the_hash_of_the_expensive_half(assignment: str) -> None:
    default, changed = _settings(), _settings(assignment)
    assert changed.hash(model_sha256="a") != default.hash(model_sha256="a")
    assert changed.hash(model_sha256="a", sections=OBSERVE_SECTIONS) == default.hash(
        model_sha256="a", sections=OBSERVE_SECTIONS
    )


@pytest.mark.parametrize(
    "assignment",
    ["video.fps=4", "detect.centerface.score_threshold=0.4", "emotion.crop_margin=0.1", "emotion.flip=true"],
)
def test_a_setting_of_the_expensive_half_changes_its_hash(assignment: str) -> None:
    default, changed = _settings(), _settings(assignment)
    assert changed.hash(model_sha256="a", sections=OBSERVE_SECTIONS) != default.hash(
        model_sha256="a", sections=OBSERVE_SECTIONS
    )


def test_an_equal_value_in_another_spelling_has_the_same_hash() -> None:
    assert _settings("video.fps=5").hash(model_sha256="a") == _settings("video.fps=5.0").hash(model_sha256="a")


@pytest.mark.parametrize(
    "assignment", ["video.max_pixels=1000000", "emotion.batch_size=7", "detect.yunet.score_threshold=0.9"]
)
def test_limits_and_detectors_not_in_use_change_no_hash(assignment: str) -> None:
    assert _settings(assignment).hash(model_sha256="a") == _settings().hash(model_sha256="a")


def test_a_detector_file_counts_by_its_content(tmp_path: Path) -> None:
    def of(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        path = tmp_path / name
        return _settings("detect.detector=yunet", f"detect.yunet.model_path={path}").hash(model_sha256="a")

    assert of("a.onnx", b"one") == of("b.onnx", b"one") != of("a.onnx", b"two")


@pytest.mark.parametrize("assignment", ["timeline.bin_seconds=inf", "timeline.bin_seconds=1e-9", "video.fps=nan"])
def test_numbers_without_sense_are_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="is not valid"):
        _settings(assignment)


@pytest.mark.parametrize("name", preset_names())
def test_settings_written_as_toml_are_read_back_to_the_same_hash(tmp_path: Path, name: str) -> None:
    found = load_sourced_settings(preset=name, environment={})
    file = tmp_path / "kept.toml"
    file.write_text(as_toml(found))
    again = load_settings(file=file, environment={})
    assert again == found.settings
    assert again.hash(model_sha256="a") == found.settings.hash(model_sha256="a")


def test_settings_from_every_source_survive_being_written(tmp_path: Path) -> None:
    found = load_sourced_settings(
        preset="cctv",
        environment={"FERVID_DETECT__MIN_FACE_PX": "40"},
        assignments=['emotion.model=a "model"\\here', "detect.options.side=3", "detect.options.odd key=é"],
        options={"video.end_seconds": 1e22},
    )
    file = tmp_path / "kept.toml"
    file.write_text(as_toml(found), encoding="utf-8")
    assert load_settings(file=file, environment={}) == found.settings
    assert found.settings.detect.options == {"side": 3, "odd key": "é"}


def test_the_source_of_each_value_is_known_and_written(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[track]\nmin_faces = 9\n[video]\nfps = 3\n")
    found = load_sourced_settings(
        preset="cctv",
        file=file,
        environment={"FERVID_GATE__MIN_FACE_PX": "30"},
        assignments=["smooth.half_life_seconds=2", "detect.options.side=3"],
        options={"video.fps": 7.0, "video.end_seconds": None},
    )
    assert {
        key: found.source(key)
        for key in (
            "detect.min_face_share",
            "track.min_faces",
            "gate.min_face_px",
            "smooth.half_life_seconds",
            "video.fps",
            "detect.options",
            "video.end_seconds",
        )
    } == {
        "detect.min_face_share": "preset cctv",
        "track.min_faces": f"file {file}",
        "gate.min_face_px": "environment FERVID_GATE__MIN_FACE_PX",
        "smooth.half_life_seconds": "--set",
        "video.fps": "option",
        "detect.options": "--set",
        "video.end_seconds": "default",
    }
    written = as_toml(found)
    assert (
        "# Analysed frames per second of video; 0 takes every frame.\n"
        "# frames per second, 0 to 1000; default 5.0; from option\nfps = 7.0\n" in written
    )
    assert "# seconds, above 0; not set by default; from default\n# end_seconds =\n" in written


def test_the_name_of_a_file_cannot_add_a_line_to_the_settings_written(tmp_path: Path) -> None:
    file = tmp_path / "a\n[track]\nmin_faces = 7\n\x01.toml"
    file.write_text("[video]\nfps = 3\n")
    again = tmp_path / "again.toml"
    again.write_text(as_toml(load_sourced_settings(file=file, environment={})))
    assert load_settings(file=again, environment={}) == load_settings(file=file, environment={})


def test_of_two_ways_to_sample_the_later_source_holds(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[video]\nevery = 3\n")
    every = load_settings(preset="trailer", file=file, environment={}).video
    assert (every.sampling.every, every.fps) == (3, 5.0)
    fps = load_settings(file=file, options={"video.fps": 2.0}, environment={}).video
    assert (fps.every, fps.fps) == (None, 2.0)


@pytest.mark.parametrize(
    "sources",
    [
        {"assignments": ["video.fps=2", "video.every=3"]},
        {"options": {"video.every": 3, "video.fps": 2.0}},
        {"environment": {"FERVID_VIDEO__FPS": "2", "FERVID_VIDEO__EVERY": "3"}},
    ],
)
def test_two_ways_to_sample_from_one_source_are_refused(sources: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"video\.(fps|every) and video\.(every|fps) exclude each other\. Give one"):
        load_settings(**{"environment": {}} | sources)


def test_a_way_of_sampling_that_is_not_used_changes_no_hash(tmp_path: Path) -> None:
    one, other = (
        load_settings(preset=preset, options={"video.every": 3}, environment={}).video
        for preset in ("default", "trailer")
    )
    assert one.results_depend_on() == other.results_depend_on()
    found = load_sourced_settings(options={"video.every": 3}, environment={})
    assert found.settings.hash(model_sha256="a") != Settings().hash(model_sha256="a")
    written = as_toml(found)
    assert "# fps = 5.0\n" in written
    (tmp_path / "kept.toml").write_text(written)
    assert load_settings(file=tmp_path / "kept.toml", environment={}) == found.settings


def test_settings_that_came_later_leave_the_hash_of_older_results() -> None:
    """Or results that are there would be made again for nothing."""
    assert "every" not in Settings().video.results_depend_on()
