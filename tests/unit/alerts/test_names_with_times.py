"""The time of recording in the names that cameras, phones, dash cameras and recorders of meetings write."""

from __future__ import annotations

import pytest

from fervid.base.clock import parse_zone
from fervid.errors import ConfigError
from fervid.run.recorded import recorded_entry, recorded_time, start_time_in_name

LOCAL, UTC = "2024-10-01T10:00:01", "2024-10-01T10:00:01+00:00"
NAMES = {
    # Hikvision, Dahua and other recorders, with begin and end, and with milliseconds
    "ch01_20241001100001.mp4": LOCAL,
    "192.168.1.64_01_20241001100001123_MOTION.mp4": LOCAL,
    "Thuis_ch3_main_20241001100001_20241001110001.mp4": LOCAL,
    "NVR_ch1_main_20241001100001_20241001101001.dav": LOCAL,
    "IPC_2024-10-01_10.00.01_10.05.01.dav": LOCAL,
    "D01_20241001100001.mp4": LOCAL,
    # UniFi
    "Front Door 10-1-2024, 10.00.01 AM GMT-4 - 10-1-2024, 10.05.01 AM GMT-4.mp4": "2024-10-01T10:00:01-04:00",
    "Front Door 10-13-2024, 3.30.00 PM.mp4": "2024-10-13T15:30:00",
    # Reolink
    "RecM01_20241001_100001_100501_0_A71C8_45B7A.mp4": LOCAL,
    "RecS02_DST20241001_100001_100501_0_6D28.mp4": LOCAL,
    "Camera1_00_20241001100001.mp4": LOCAL,
    # Axis
    "20241001_100001_F2BD_ACCC8E012345.mkv": LOCAL,
    "axis-ACCC8E012345_20241001_100001.mkv": LOCAL,
    # Frigate
    "front_20241001_100001-20241001_110001.mp4": LOCAL,
    "front_1727776801.123-1727776861.456.mp4": UTC,
    "front-1727776801.123456-abc1ef.mp4": UTC,
    # Shinobi, motionEye, Blue Iris, ZoneMinder
    "2024-10-01T10-00-01.mp4": LOCAL,
    "01-20241001100001.avi": LOCAL,
    "Cam1.20241001_100001.mp4": LOCAL,
    "Event-20241001-100001.mp4": LOCAL,
    # Phones and their applications
    "VID_20241001_100001.mp4": LOCAL,
    "VID_20241001_100001123.mp4": LOCAL,
    "20241001_100001.mp4": LOCAL,
    "VID20241001100001.mp4": LOCAL,
    "PXL_20241001_100001123.mp4": UTC,
    "PXL_20241001_100001123.LS.mp4": UTC,
    "signal-2024-10-01-10-00-01-123.mp4": LOCAL,
    "video_2024-10-01_10-00-01.mp4": LOCAL,
    "WhatsApp Video 2024-10-01 at 10.00.01.mp4": LOCAL,
    "WhatsApp Video 2024-10-01 at 10.00.01 PM.mp4": "2024-10-01T22:00:01",
    "RPReplay_Final1727776801.mp4": UTC,
    "Screen_Recording_20241001_100001_Chrome.mp4": LOCAL,
    "screen-20241001-100001.mp4": LOCAL,
    "Screenrecorder-2024-10-01-10-00-01-123.mp4": LOCAL,
    # Dash cameras, drones
    "2024_1001_100001_001F.MP4": LOCAL,
    "20241001_100001_NF.mp4": LOCAL,
    "FILE241001-100001F.MP4": LOCAL,
    "2024-10-01_10-00-01-front.mp4": LOCAL,
    "REC_2024_10_01_10_00_01_F.MP4": LOCAL,
    "DJI_20241001100001_0001_D.MP4": LOCAL,
    # Recorders of screens and meetings
    "Screen Recording 2024-10-01 at 10.00.01.mov": LOCAL,
    "Screen Recording 2024-10-01 at 3.30.00\u202fPM.mov": "2024-10-01T15:30:00",
    "Bildschirmaufnahme 2024-10-01 um 10.00.01.mov": LOCAL,
    "GMT20241001-100001_Recording_1920x1080.mp4": UTC,
    "Weekly-20241001_100001-Meeting Recording.mp4": LOCAL,
    "abc-defg-hij (2024-10-01 10:00 GMT+2).mp4": "2024-10-01T10:00:00+02:00",
    "abc-defg-hij (2024-10-01 10:00 GMT+05:30).mp4": "2024-10-01T10:00:00+05:30",
    "room_2024-10-01-10-00-01.mp4": LOCAL,
    "2024-10-01 10-00-01.mkv": LOCAL,
    "Replay 2024-10-01 10-00-01.mkv": LOCAL,
    "Desktop 2024.10.01 - 10.00.01.02.DVR.mp4": LOCAL,
    "Teams 01.10.2024 10.00.01.mp4": LOCAL,
    "Game 13_10_2024 10_00_01.mp4": "2024-10-13T10:00:01",
    "export_20241001T100001Z.mp4": UTC,
}
NOTHING = (
    "VID-20241001-WA0001.mp4",  # a date alone
    "IMG_1234.MOV",
    "GX010001.MP4",
    "10.00.01-10.05.01[M][0@0][0].dav",  # a time alone
    "12345-video.mp4",
    "zoom_0.mp4",
    "Game 01_10_2024 10_00_01.mp4",  # January or October
    "20241001_100001_20251001_100001.mp4",  # a year apart
    "20240231_100001.mp4",
    "clip_1080p_60fps.mp4",
    "00_20241001.mp4",
)


@pytest.mark.parametrize(("name", "expected"), NAMES.items(), ids=ascii)
def test_the_begin_of_a_recording_is_read_from_its_name(name: str, expected: str) -> None:
    found = start_time_in_name(name)
    assert found is not None
    assert found.isoformat(timespec="seconds") == expected


@pytest.mark.parametrize("name", NOTHING)
def test_a_name_that_states_no_time_or_may_be_read_in_two_ways_gives_none(name: str) -> None:
    assert start_time_in_name(name) is None


def test_the_table_has_forty_names() -> None:
    assert len(NAMES) >= 40


@pytest.mark.parametrize(
    ("name", "stated", "source", "recorded", "by", "n_doubts"),
    [
        ("clip.mp4", None, None, None, None, 0),
        ("clip.mp4", "2024-10-01T08:00:01+00:00", "creation_time", "2024-10-01T08:00:01+00:00", "creation_time", 0),
        ("20241001_100001.mp4", "2024-10-01T08:00:01+00:00", "creation_time", LOCAL, "name", 0),
        ("20241001_100001.mp4", "2021-01-01T08:00:01+00:00", "creation_time", LOCAL, "name", 1),
        ("x.dav", "2024-10-01T10:00:01", "clock", LOCAL, "clock", 0),
    ],
)
def test_the_name_comes_before_the_container_and_a_contradiction_is_said(
    name: str, stated: str | None, source: str | None, recorded: str | None, by: str | None, n_doubts: int
) -> None:
    entry, doubts = recorded_entry(name, stated, source)
    assert (entry["recorded"], entry["recorded_source"], len(doubts)) == (recorded, by, n_doubts)
    found = recorded_time(entry, "clip.mp4")
    assert (found and found.isoformat()) == recorded


@pytest.mark.parametrize(
    ("zone", "utc"),
    [
        (None, None),
        ("Europe/Berlin", "2024-10-01T08:00:01+00:00"),
        ("+05:30", "2024-10-01T04:30:01+00:00"),
        ("-0400", "2024-10-01T14:00:01+00:00"),
        ("utc", "2024-10-01T10:00:01+00:00"),
    ],
)
def test_a_time_zone_makes_local_times_comparable(zone: str | None, utc: str | None) -> None:
    assert recorded_entry("20241001_100001.mp4", None, None, zone=zone)[0]["recorded_utc"] == utc
    # A name that states its zone keeps it.
    assert recorded_entry("PXL_20241001_100001123.mp4", None, None, zone=zone)[0]["recorded_utc"] == UTC


def test_a_given_time_comes_first_and_contradictions_are_said() -> None:
    entry, doubts = recorded_entry("20241001_100001.mp4", None, None, given="2026-11-20T22:00:00")
    assert (entry["recorded"], entry["recorded_source"]) == ("2026-11-20T22:00:00", "start_time")
    assert "by its given start time, at 2024-10-01T10:00:01 by its name" in doubts[0]


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "+25:00", "../../etc/passwd", ""])
def test_a_time_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="does not exist. Give a name such as Europe/Berlin"):
        parse_zone(zone)
