"""FIRST's EPSS scores: the daily CSV, plain or compressed. Pure."""

import re
import zlib
from typing import Final

from policies.document_facts import EPSS_SCHEMA, Epss
from promotions.formats.document import ReadDocument
from promotions.formats.reading import MOST_BYTES, DocumentRefused, maybe_time, without_mark

FORMAT = "epss"
MOST_ROWS: Final = 1_000_000
MOST_MEMBERS: Final = 20_000
"""bgzip writes one for every 64 KiB. A file of empty ones only would take long and say nothing."""

_GZIP = b"\x1f\x8b"
_PIECE = 64 * 1024
_HEAD = re.compile(r"#model_version:[^,]{1,64},score_date:([0-9T:+.Z-]{10,40})")
_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})$")
_ROW = re.compile(r"(CVE-[0-9]{4}-[0-9]{4,19}),([01](?:\.[0-9]{1,17})?(?:[eE]-[0-9]{1,2})?),[0-9.eE+-]{1,24}")


def feed(document: bytes) -> ReadDocument:
    """DocumentRefused for what is no EPSS file, also for one that unpacks to more than 32 MiB."""
    try:
        lines = without_mark(_unpacked(document)).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise DocumentRefused(f"The file is not plain text: byte {error.start + 1} cannot be read.") from None
    head = _HEAD.fullmatch(lines[0]) if len(lines) > 1 else None
    if head is None or lines[1].strip() != "cve,epss,percentile":
        raise DocumentRefused(
            "This is not an EPSS file: it begins with model_version and score_date, then cve,epss,percentile.", "line 1"
        )
    published = maybe_time({"score_date": _OFFSET.sub(r"\1:\2", head[1])}, "score_date", "line 1")
    if published is None:
        raise DocumentRefused("The file does not say of which day its scores are.", "line 1")
    if len(lines) == 2:
        raise DocumentRefused("The file has no scores.", "line 3")
    if len(lines) - 2 > MOST_ROWS:
        raise DocumentRefused(f"The file has more than {MOST_ROWS} rows.")
    scores: dict[str, float] = {}
    for number, text in enumerate(lines[2:], start=3):
        row = _ROW.fullmatch(text)
        if row is None or (score := float(row[2])) > 1:
            raise DocumentRefused(
                f"Line {number} is no CVE with a score from 0 to 1 and a percentile.", f"line {number}"
            )
        scores[row[1]] = max(score, scores.get(row[1], 0.0))
    parsed: Epss = {"schema": EPSS_SCHEMA, "scores": [{"cve": cve, "epss": scores[cve]} for cve in sorted(scores)]}
    return ReadDocument(FORMAT, parsed, "first", published, {"entries": len(scores)})


def _unpacked(document: bytes) -> bytes:
    """The scores of every member of the file: tools that pack in parallel write several, one after the other."""
    if not document.startswith(_GZIP):
        return document
    plain = bytearray()
    place = members = 0
    while place < len(document):
        members += 1
        if members > MOST_MEMBERS:
            raise DocumentRefused(f"The file was packed in more than {MOST_MEMBERS} parts: pack it in one.")
        if not document.startswith(_GZIP, place):
            raise DocumentRefused("The file is damaged: other data follows the packed scores.")
        place = _unpack_member(document, place, plain)
    return bytes(plain)


def _unpack_member(document: bytes, place: int, plain: bytearray) -> int:
    """Where the member that begins at a place ends."""
    unpacker = zlib.decompressobj(wbits=31)
    while not unpacker.eof:
        piece = document[place : place + _PIECE]
        if not piece:
            raise DocumentRefused("The file is cut off: it cannot be unpacked to its end.")
        try:
            plain += unpacker.decompress(piece, MOST_BYTES + 1 - len(plain))
        except zlib.error:
            raise DocumentRefused("The file is damaged: it cannot be unpacked.") from None
        if len(plain) > MOST_BYTES:
            raise DocumentRefused(f"The file unpacks to more than {MOST_BYTES} bytes.")
        place += len(piece)
    return place - len(unpacker.unused_data)
