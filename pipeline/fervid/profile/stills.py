"""Still images of the peaks of a profile, from the video; faces are covered by default. Draws no chart."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from fervid.base.opencv import cv2
from fervid.errors import InputError
from fervid.privacy.covers import FaceCovers
from fervid.privacy.mosaic import cover
from fervid.privacy.search import CoverSearch
from fervid.profile.charts import Still
from fervid.profile.profile import Peak, Profile
from fervid.run.manifest import manifest_content
from fervid.run.tables import read_table
from fervid.video.stretch import VideoSource
from fervid.video.writer import RgbFrame, check_is_analysed, read_rgb_frames

Blur = Literal["all", "none"]

AROUND_SECONDS = 0.6
"""Faces found within this time before and after a moment are covered in it too."""
WIDTH_PX = 480


def take_stills(folder: Path, profile: Profile, *, blur: Blur = "all") -> tuple[tuple[Still, ...], str]:
    """A still of each peak of a run, and the reason if there are none; one of the two is empty.

    With blur "all" every face that the run stored, and every face that a high-recall search finds, is covered.
    """
    manifest = manifest_content(folder)
    video = Path(manifest["video_path"])
    if not profile.peaks:
        return (), "No expression is strong enough for a still."
    if not video.is_file():
        return (), f"No stills: the video is no longer at {manifest['video_path']}."
    try:
        check_is_analysed(video, manifest["video_id"], recorded_bytes=manifest["video_bytes"])
    except InputError as problem:
        return (), f"No stills: {problem}"
    columns = ["time_s", "track_id", "x", "y", "w", "h"]
    table = read_table(folder, manifest["settings_hash"], "faces", columns)
    faces = {name: table[name].to_numpy() for name in columns}
    source = VideoSource.of_content(manifest)
    stills = []
    for peak in profile.peaks:
        try:
            frames = list(read_rgb_frames(source, max(0.0, peak.time_s - AROUND_SECONDS), peak.time_s + AROUND_SECONDS))
        except InputError as problem:
            return (), f"No stills: {problem}"
        if frames:
            rgb = _moment(frames, peak, faces, blur)
            stills.append(Still(rgb, f"{peak.time_s:.1f} s: {peak.label}-like {peak.value:.2f}"))
    return tuple(stills), "" if stills else "No stills: no frame could be decoded at the peaks."


def _moment(frames: list[RgbFrame], peak: Peak, faces: dict[str, np.ndarray], blur: Blur) -> np.ndarray:
    """The frame nearest to a peak, with faces covered, downscaled, with square pixels."""
    frame = min(frames, key=lambda one: abs(one.seconds - peak.time_s))
    rgb = frame.rgb
    if blur != "none":
        near = np.abs(faces["time_s"] - peak.time_s) <= 2 * AROUND_SECONDS
        x, y, w, h, times, ids = (faces[name][near] for name in ("x", "y", "w", "h", "time_s", "track_id"))
        boxes = np.stack([x, y, x + w, y + h], axis=1).astype(np.float64)
        tracks = {track: (times[ids == track], boxes[ids == track]) for track in np.unique(ids).tolist()}
        covers = FaceCovers(tracks)
        search = CoverSearch(covers)
        for one in frames:
            search.see(one.seconds, one.rgb, one.pixel_aspect, wanted=one is frame)
        rgb = cover(rgb, covers.at(frame.seconds))
    width = min(WIDTH_PX, round(rgb.shape[1] * float(frame.pixel_aspect)))
    height = round(width * rgb.shape[0] / (rgb.shape[1] * float(frame.pixel_aspect)))
    return np.asarray(cv2.resize(rgb, (max(1, width), max(1, height)), interpolation=cv2.INTER_AREA))
