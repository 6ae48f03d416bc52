"""Annotations for ELAN (MPI for Psycholinguistics): an .eaf document (format 3.0), or tab-delimited text.

One tier per face and per rule. Annotations cannot overlap within a tier, so overlapping alerts get further tiers.
"""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from fervid.exports.cells import csv_text
from fervid.exports.events import lanes
from fervid.exports.source import RunTables

MILLISECONDS = 1000
TYPE = "default-lt"
NO_DATE = "1970-01-01T00:00:00+00:00"
"""A fixed date, so that the same run gives the same bytes."""
TAB_COLUMNS = (
    "Tier",
    "Begin Time - ss.msec",
    "End Time - ss.msec",
    "Duration - ss.msec",
    "Annotation",
)


def export_eaf(run: RunTables) -> bytes:
    """An .eaf document. It refers to the video by file name: ELAN asks for it if it is not in the same folder."""
    document = Xml.Element(
        "ANNOTATION_DOCUMENT",
        {"AUTHOR": "fervid", "DATE": NO_DATE, "FORMAT": "3.0", "VERSION": "3.0"}
        | {"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"}
        | {"xsi:noNamespaceSchemaLocation": "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"},
    )
    header = Xml.SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    name = _plain(run.video)
    media = {"MEDIA_URL": f"file:./{name}", "RELATIVE_MEDIA_URL": f"./{name}", "MIME_TYPE": "video/mp4"}
    Xml.SubElement(header, "MEDIA_DESCRIPTOR", media)
    order = Xml.SubElement(document, "TIME_ORDER")
    n_slots = n_annotations = 0
    for lane, events in lanes(run.events).items():
        tier = Xml.SubElement(document, "TIER", {"LINGUISTIC_TYPE_REF": TYPE, "TIER_ID": _plain(lane)})
        for event in events:
            slots = []
            for seconds in (event.start_s, event.end_s):
                n_slots += 1
                slots.append(f"ts{n_slots}")
                value = str(round(seconds * MILLISECONDS))
                Xml.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[-1], "TIME_VALUE": value})
            n_annotations += 1
            about = {"ANNOTATION_ID": f"a{n_annotations}", "TIME_SLOT_REF1": slots[0], "TIME_SLOT_REF2": slots[1]}
            annotation = Xml.SubElement(Xml.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", about)
            Xml.SubElement(annotation, "ANNOTATION_VALUE").text = _plain(event.text)
    kind = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": TYPE, "TIME_ALIGNABLE": "true"}
    Xml.SubElement(document, "LINGUISTIC_TYPE", kind)
    Xml.indent(document)
    return bytes(Xml.tostring(document, encoding="UTF-8", xml_declaration=True)) + b"\n"


def export_tab(run: RunTables) -> bytes:
    """Tab-delimited text with a header, as in ELAN's own export and import of annotations."""
    rows = [
        (lane, *(f"{value:.3f}" for value in (event.start_s, event.end_s, event.end_s - event.start_s)), event.text)
        for lane, events in lanes(run.events).items()
        for event in events
    ]
    return csv_text(TAB_COLUMNS, rows, delimiter="\t").encode()


def _plain(text: str) -> str:
    """A text without the control characters that XML 1.0 does not allow."""
    return "".join(c if c.isprintable() else " " for c in text)
