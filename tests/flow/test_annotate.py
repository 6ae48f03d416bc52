"""`annotate_run` on real runs of small videos: times, sound, size, covered faces, stretches."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import fervid
from fervid.annotate.marks import StoredFaces
from fervid.annotate.video import _shown_size, annotate_run
from fervid.base.geometry import iou_matrix
from fervid.detect.centerface import SCORE_THRESHOLD as ANALYSIS_THRESHOLD
from fervid.errors import InputError, VideoUnreadable
from fervid.privacy.search import FaceSearch
from manifests import change_manifest
from runner import run_fervid
from synthetic import FACE_PX, face_until, variable_rate, write_video

SECONDS = 2.5
TIMES = variable_rate(SECONDS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> fervid.Run:
    """A moving portrait at a variable rate for almost two seconds, then nothing."""
    folder = tmp_path_factory.mktemp("annotate")
    video = write_video(folder / "v.mp4", TIMES, face_until(1.8), first_pts_seconds=1.0)
    return fervid.analyze(video, out=folder / "out", device="cpu", plot=False)


def pictures(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(container.streams.video[0]))
    return [float(f.pts * f.time_base) for f in frames], [f.to_ndarray(format="rgb24") for f in frames]


def test_frames_keep_their_times_and_grow_by_the_strip(run: fervid.Run, tmp_path: Path) -> None:
    path = annotate_run(run, blur="none")
    assert path == run.folder / "annotated.mp4"
    stamps, shown = pictures(path)
    assert stamps == pytest.approx(TIMES, abs=0.002)
    height, width = shown[0].shape[:2]
    assert width == 640  # twice the source, so that letters can be read
    assert 480 < height < 640
    assert not list(run.folder.glob("*.part*"))
    plain, of_plain = pictures(annotate_run(run, strip=False, bars=False, blur="none", target=tmp_path / "plain.mp4"))
    assert (len(plain), of_plain[0].shape) == (len(TIMES), (480, 640, 3))
    part = annotate_run(run, start_seconds=1, end_seconds=2, blur="none", target=tmp_path / "part.mp4")
    assert len(pictures(part)[0]) == sum(1 <= t < 2 for t in TIMES)


def test_a_run_whose_video_has_gone_does_not_stop_those_after_it(run: fervid.Run, tmp_path: Path) -> None:
    gone, whole = tmp_path / "runs" / "a", tmp_path / "runs" / "b"
    for folder in (gone, whole):
        shutil.copytree(run.folder, folder)
    change_manifest(gone, video_path=str(tmp_path / "gone.mp4"))
    done = run_fervid("annotate", str(tmp_path / "runs"), "--end", "0.5", "--quiet")
    assert done.returncode == 3
    assert "gone.mp4 no longer exists" in done.stderr
    assert done.stderr.endswith("1 of 2 runs could not be used; see the lines above.\n")
    assert done.stdout == f"{whole / 'annotated.mp4'}\n"


@pytest.mark.parametrize(
    ("height", "width", "shown"),
    [
        (240, 320, (640, 480)),
        (1080, 1920, (1920, 1080)),
        (16, 8000, (8000, 16)),
        (1, 640, (3840, 6)),
        (1, 1, (480, 480)),
    ],
)
def test_pictures_are_enlarged_as_far_as_an_encoder_has_them(height: int, width: int, shown: tuple[int, int]) -> None:
    assert _shown_size(np.zeros((height, width, 3), np.uint8), Fraction(1)) == shown


def test_faces_are_covered_unless_asked_otherwise_which_is_noted(run: fervid.Run, tmp_path: Path) -> None:
    # With the threshold of an analysis: a lenient search sees something of a face in its mosaic too.
    search, found = FaceSearch(score_threshold=ANALYSIS_THRESHOLD), {}
    for blur in ("all", "none"):
        span = {"start_seconds": 0.5, "end_seconds": 1.0}
        path = annotate_run(run, blur=blur, bars=False, strip=False, target=tmp_path / f"{blur}.mp4", **span)  # type: ignore[arg-type]
        stamps, shown = pictures(path)
        found[blur] = []
        for i in (0, len(stamps) // 2, len(stamps) - 1):
            left = 2 * (85 + 60 * np.sin(stamps[i] + 0.5) + 27)
            face = np.array([[left, 2 * 87, left + 2 * FACE_PX, 2 * (87 + FACE_PX)]])
            found[blur].append(bool((iou_matrix(face, search.search(shown[i])) > 0.3).any()))
    assert found == {"all": [False] * 3, "none": [True] * 3}
    log = [json.loads(line) for line in (run.folder / "evidence-audit.jsonl").read_text().splitlines()]
    assert log[-1]["what"] == "annotated video with open faces"
    assert {entry["blur"] for entry in log} == {"none"}


def test_marks_lie_on_the_face_between_samples_and_end_with_it(run: fervid.Run) -> None:
    faces = StoredFaces(run)
    for seconds in (0.1, 0.95, 1.5):
        (mark,) = faces.at(seconds)
        middle = (mark.box[0] + mark.box[2]) / 2
        assert middle == pytest.approx(85 + 60 * np.sin(seconds) + 75, abs=12)
        assert mark.confidence == pytest.approx(mark.probabilities.max())
    assert faces.at(2.2) == []
    (doubled,) = faces.at(0.95, scale=(2, 3))
    (plain,) = faces.at(0.95)
    assert doubled.box == pytest.approx([plain.box[0] * 2, plain.box[1] * 3, plain.box[2] * 2, plain.box[3] * 3])


def test_a_run_whose_video_has_gone_and_an_empty_stretch_are_refused(run: fervid.Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lasts 2.*nothing from 9 to"):
        annotate_run(run, start_seconds=9)
    copy = Path(shutil.copytree(run.folder, tmp_path / "copy"))
    change_manifest(copy, video_path=str(tmp_path / "gone.mp4"))
    with pytest.raises(VideoUnreadable, match=r"gone.mp4 no longer exists"):
        annotate_run(fervid.open_run(copy))


def test_the_command_prints_the_path(run: fervid.Run) -> None:
    done = run_fervid("annotate", str(run.folder), "--end", "0.1s", "--blur", "none", "-q")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(run.folder / "annotated.mp4")
    refused = run_fervid("annotate", str(run.folder / "nothing"))
    assert refused.returncode == 3
    assert "is not a folder" in refused.stderr


def test_the_command_writes_where_it_is_told(run: fervid.Run, tmp_path: Path) -> None:
    common = ("annotate", str(run.folder), "--end", "0.1s", "--no-bars", "--no-strip", "-q")
    file, folder = tmp_path / "new" / "mine.mp4", tmp_path / "all"
    assert run_fervid(*common, "-o", str(file)).stdout == f"{file}\n"
    assert run_fervid(*common, "-o", str(folder)).stdout == f"{folder / (run.folder.name + '.mp4')}\n"
    assert file.stat().st_size > 0
    refused = run_fervid(*common, "-o", str(tmp_path / "mine.avi"))
    assert refused.returncode == 2
    assert "annotated videos are MP4 files. Give a file that ends in .mp4, or a folder." in refused.stderr


def test_motion_is_shaded_only_where_it_was_measured(run: fervid.Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did not measure motion"):
        annotate_run(run, motion=True, target=tmp_path / "v.mp4")
    settings = fervid.load_settings(assignments=["motion.measure=true"])
    measured = fervid.analyze(run.manifest.video_path, out=tmp_path, settings=settings, device="cpu", plot=False)
    shown = {
        motion: pictures(
            annotate_run(measured, motion=motion, strip=False, blur="none", target=tmp_path / f"{motion}.mp4")
        )
        for motion in (True, False)
    }
    assert shown[True][0] == shown[False][0]
    changes = [np.abs(a.astype(int) - b).mean() for a, b in zip(shown[True][1], shown[False][1], strict=True)]
    assert max(changes) > 1
    assert changes[0] < 0.5  # nothing comes before the first frame
