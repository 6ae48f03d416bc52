"""Export formats for other programs: one module per format, and the table of formats. Knows nothing of videos."""

from __future__ import annotations

_TABLE = {
    "csv": (".csv", "fervid.exports.comma_separated:export"),
    "jsonl": (".jsonl", "fervid.exports.json_lines:export"),
    "vtt": (".vtt", "fervid.exports.webvtt:export_captions"),
    "vtt-metadata": (".metadata.vtt", "fervid.exports.webvtt:export_metadata"),
    "srt": (".srt", "fervid.exports.subrip:export"),
    "eaf": (".eaf", "fervid.exports.elan:export_eaf"),
    "elan-tab": (".elan.txt", "fervid.exports.elan:export_tab"),
    "otio": (".otio", "fervid.exports.opentimeline:export"),
    "audacity": (".labels.txt", "fervid.exports.audacity:export"),
    "fer": (".fer.csv", "fervid.exports.fer_frame:export"),
    "py-feat": (".fex.csv", "fervid.exports.fex:export"),
    "openface": (".openface.csv", "fervid.exports.openface:export"),
    "rekognition": (".rekognition.json", "fervid.exports.rekognition:export"),
}
"""Each format: the suffix that follows the name of the video in a file name, and a function from `RunTables` to bytes.

The first line of the function's module says what the format is.
"""

FORMATS = {name: target for name, (_, target) in _TABLE.items()}
ENDINGS = {name: ending for name, (ending, _) in _TABLE.items()}
