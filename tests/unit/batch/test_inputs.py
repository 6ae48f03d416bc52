"""From what a user names to videos: files, folders, patterns and lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from fervid.batch.inputs import VIDEO_SUFFIXES, find_videos
from fervid.errors import ConfigError, VideoNotFound


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with videos and other files on two levels."""
    for name in ("b.mp4", "a.MOV", "notes.txt", ".hidden.mp4", "deep/c.mkv", "deep/cover.jpg", "deep/b.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*names: str) -> tuple[list[str], int]:
    inputs = find_videos(names)
    return [path.as_posix() for path in inputs.videos], inputs.n_ignored


@pytest.mark.parametrize("names", [["empty"], ["empty", "empty"]])
def test_nothing_found_is_an_error_that_names_where_it_looked(names: list[str]) -> None:
    with pytest.raises(VideoNotFound, match="empty: no video found"):
        find_videos(names)


def test_an_error_counts_the_other_files_of_a_folder(folder: Path) -> None:
    (folder / "empty" / "notes.txt").touch()
    with pytest.raises(VideoNotFound, match=r"no video found \(1 other files: 1 \."):
        find_videos(["empty"])


def test_files_are_taken_as_named_whatever_their_suffix() -> None:
    assert found("notes.txt", "b.mp4", "absent.mp4") == (["notes.txt", "b.mp4", "absent.mp4"], 0)


def test_a_folder_is_searched_to_the_bottom_in_order_and_counts_what_it_ignores() -> None:
    assert found(".") == (["a.MOV", "b.mp4", "deep/b.mp4", "deep/c.mkv"], 3)
    assert found("deep") == (["deep/b.mp4", "deep/c.mkv"], 1)


def test_the_order_of_names_is_kept_and_each_video_comes_once() -> None:
    assert found("deep/c.mkv", "b.mp4", "./b.mp4", "deep") == (["deep/c.mkv", "b.mp4", "deep/b.mp4"], 1)


@pytest.mark.parametrize(
    ("pattern", "videos"),
    [
        ("*.mp4", ["b.mp4"]),
        ("**/*.mp4", ["b.mp4", "deep/b.mp4"]),
        ("[ab].*", ["a.MOV", "b.mp4"]),
        ("*/?.mkv", ["deep/c.mkv"]),
        ("d*", ["deep/b.mp4", "deep/c.mkv"]),  # a pattern may name folders
        ("n*", ["notes.txt"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches(pattern: str, videos: list[str]) -> None:
    assert found(pattern)[0] == videos


def test_a_pattern_that_matches_nothing_is_an_error_though_other_names_match() -> None:
    with pytest.raises(VideoNotFound, match=r"\*\.webm matches no file"):
        find_videos(["b.mp4", "*.webm"])


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "b[1].mp4").touch()
    assert found("b[1].mp4") == (["b[1].mp4"], 0)


def test_a_list_names_one_path_a_line(folder: Path) -> None:
    (folder / "list.txt").write_text("# clips of today\n\n  b.mp4  \ndeep\n*.MOV\nspace in name.mp4\n")
    assert found("@list.txt") == (["b.mp4", "deep/b.mp4", "deep/c.mkv", "a.MOV", "space in name.mp4"], 1)


def test_a_name_in_a_list_is_a_path_even_with_an_at_sign(folder: Path) -> None:
    (folder / "list.txt").write_text("@list.txt\ndeep/c.mkv\n")
    assert found("@list.txt") == (["@list.txt", "deep/c.mkv"], 0)


def test_an_empty_list_beside_good_names_is_no_error(folder: Path) -> None:
    (folder / "empty.txt").write_text("# nothing\n")
    assert found("@empty.txt", "b.mp4") == (["b.mp4"], 0)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_list_that_cannot_be_read_is_an_error_by_name(folder: Path, content: bytes | None) -> None:
    if content is not None:
        (folder / "list.txt").write_bytes(content)
    with pytest.raises(VideoNotFound, match=r"list list\.txt cannot be read"):
        find_videos(["@list.txt"])


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_every_known_suffix_is_found_in_a_folder_in_either_case(suffix: str) -> None:
    Path(f"empty/low{suffix}").touch()
    Path(f"empty/up{suffix.upper()}").touch()
    assert found("empty") == ([f"empty/low{suffix}", f"empty/up{suffix.upper()}"], 0)


def test_a_csv_list_gives_single_videos_options_of_their_own(folder: Path) -> None:
    (folder / "list.csv").write_text('path, fps,start\nb.mp4,10,\n"deep/c.mkv",,00:00:05\n')
    inputs = find_videos(["list.csv"])
    assert [path.as_posix() for path in inputs.videos] == ["b.mp4", "deep/c.mkv"]
    assert {path.name: dict(own) for path, own in inputs.options.items()} == {
        "b.mp4": {"fps": "10"},
        "c.mkv": {"start": "00:00:05"},
    }
    assert inputs.is_many


def test_a_csv_list_names_people_apart_from_options(folder: Path) -> None:
    (folder / "list.csv").write_text("path,person,fps\nb.mp4, ann,\ndeep/c.mkv,,10\na.mp4,ann,10\n")
    inputs = find_videos(["list.csv"])
    assert {path.name: person for path, person in inputs.people.items()} == {"b.mp4": "ann", "a.mp4": "ann"}
    assert {path.name: dict(own) for path, own in inputs.options.items()} == {
        "c.mkv": {"fps": "10"},
        "a.mp4": {"fps": "10"},
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,person\nb.mp4,ann\nb.mp4,bob\n", "lists b.mp4 with two sets of options"),
        ("", "has no column 'path'"),
        ("file\nb.mp4\n", r"has no column 'path' \(columns: file\)"),
        ("path,fsp\nb.mp4,3\n", "column 'fsp' does not exist. Did you mean 'fps'"),
        ("path\nb.mp4,3\n", "line 2: more cells than columns"),
        ("path,fps\n,3\n", "line 2: the path is empty"),
        ("path,fps\nb.mp4,3\nb.mp4,4\n", "lists b.mp4 with two sets of options"),
    ],
)
def test_a_wrong_csv_list_is_an_error_that_names_what_is_wrong(folder: Path, content: str, message: str) -> None:
    (folder / "list.csv").write_text(content)
    with pytest.raises(ConfigError, match=message):
        find_videos(["list.csv"])


def test_what_was_made_from_a_video_is_not_taken_for_one(folder: Path) -> None:
    (folder / "camera" / "manifest.json").parent.mkdir()
    (folder / "camera" / "manifest.json").write_text("{}")  # somebody else's
    (folder / "camera" / "c.mp4").touch()
    before = find_videos([str(folder)]).videos
    assert folder / "camera" / "c.mp4" in before
    run = folder / "results" / "a-0123abcd"
    (run / "evidence").mkdir(parents=True)
    (run / "manifest.json").write_text("{}")
    for made in (run / "annotated.mp4", run / "evidence" / "clip.mp4"):
        made.touch()
    assert find_videos([str(folder)]).videos == before
    assert find_videos([str(run / "annotated.mp4")]).videos == (run / "annotated.mp4",)


def test_links_that_lead_in_circles_are_not_followed(folder: Path) -> None:
    (folder / "deep" / "loop").symlink_to(folder)
    assert found("deep") == (["deep/b.mp4", "deep/c.mkv"], 1)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffpath;fps;start\r\nb.mp4;2,5;00:00:05\r\n",
        "Path;FPS;Start;Note\r\nb.mp4;2,5;00:00:05;seen by Ann\r\n",
        "PATH\tFps\tstart\nb.mp4\t2.5\t00:00:05\n",
        'path,fps,start,camera\nb.mp4,"2,5",00:00:05,north\n',
        "path,fps,start,,\nb.mp4,2.5,00:00:05,,\n",
    ],
    ids=["semicolons", "capitals and notes", "tabs", "a quoted decimal comma", "empty cells behind"],
)
def test_a_list_as_spreadsheets_write_it_is_read(folder: Path, content: str) -> None:
    (folder / "list.csv").write_text(content, encoding="utf-8")
    found = find_videos(["list.csv"])
    assert [dict(options) for options in found.options.values()] == [{"fps": "2.5", "start": "00:00:05"}]


def test_a_folder_names_what_it_left_out_by_suffix(folder: Path) -> None:
    for name in ("1.jpg", "2.JPG", "a.txt", "noise"):
        (folder / name).touch()
    found = find_videos(["."])
    assert "3 .jpg" in found.ignored_suffixes
    assert found.n_ignored >= 4


def test_a_folder_of_stills_says_how_they_become_a_video(folder: Path) -> None:
    stills = folder / "stills"
    stills.mkdir()
    for i in range(3):
        (stills / f"{i:05d}.jpg").touch()
    with pytest.raises(
        VideoNotFound,
        match=r"3 other files: 3 \.jpg\). For a series of images give their number per second, as in --rate 25",
    ):
        find_videos([str(stills)])


def test_a_video_whose_name_begins_with_an_at_sign_gets_a_hint(folder: Path) -> None:
    (folder / "@home.mp4").write_bytes(b"\x00\xff")
    with pytest.raises(VideoNotFound, match=r"write \./@home\.mp4"):
        find_videos(["@home.mp4"])
