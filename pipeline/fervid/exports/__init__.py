"""Export formats for other programs: one module per format, and the table of formats. Knows nothing of videos."""

from __future__ import annotations

FORMATS = {
    "csv": "fervid.exports.comma_separated:export",
    "jsonl": "fervid.exports.json_lines:export",
    "vtt": "fervid.exports.webvtt:export_captions",
    "vtt-metadata": "fervid.exports.webvtt:export_metadata",
    "srt": "fervid.exports.subrip:export",
    "eaf": "fervid.exports.elan:export_eaf",
    "elan-tab": "fervid.exports.elan:export_tab",
    "otio": "fervid.exports.opentimeline:export",
    "audacity": "fervid.exports.audacity:export",
    "fer": "fervid.exports.fer_frame:export",
    "py-feat": "fervid.exports.fex:export",
    "openface": "fervid.exports.openface:export",
    "rekognition": "fervid.exports.rekognition:export",
}
"""Each format: a function from `RunTables` to the bytes of a file."""

ENDINGS = {
    "csv": ".csv",
    "jsonl": ".jsonl",
    "vtt": ".vtt",
    "vtt-metadata": ".metadata.vtt",
    "srt": ".srt",
    "eaf": ".eaf",
    "elan-tab": ".elan.txt",
    "otio": ".otio",
    "audacity": ".labels.txt",
    "fer": ".fer.csv",
    "py-feat": ".fex.csv",
    "openface": ".openface.csv",
    "rekognition": ".rekognition.json",
}
"""The suffix that follows the name of the video in a file name."""
