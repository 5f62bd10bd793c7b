"""The files of signed documents, in every shape that tools write. Pure.

- a DSSE envelope,
- a Sigstore bundle with one inside (`gh attestation`, npm, cosign 3),
- the list of attestations that GitHub and npm answer with,
- several envelopes or bundles, each on one line (`cosign download attestation`, `gh attestation download`).

The process that reads documents and the one that checks signatures both find the signed payloads with `items`: in the
same bytes they see the same payloads. Other modules verify the signatures.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from promotions.formats.reading import (
    MARK,
    DocumentRefused,
    an_object,
    at,
    line,
    maybe_line,
    member,
    objects,
    read_json,
)
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes

BUNDLE: Final = "application/vnd.dev.sigstore.bundle"
MOST_SIGNATURES: Final = 20
MOST_ENVELOPES: Final = 50
MOST_VALUES_AROUND: Final = 50_000
"""The most commas and brackets around the payloads of a file: the web process reads them, too."""

_ENVELOPE: Final = frozenset({"payload", "payloadType", "signatures"})
_DOCUMENT: Final = frozenset({"dsseEnvelope", "dsse_envelope"})
_SIGNATURE: Final = frozenset({"messageSignature", "message_signature"})
_LONGEST: Final = 8192
_SPACE: Final = b" \t\r\n"
_ANOTHER: Final = re.compile(rb"[ \t\r\n]*(?:\xef\xbb\xbf)?\{")
_STANDARD_ALPHABET: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Envelope:
    """The signed payload, and the signatures with the key id that each names, which is a hint; without one it is
    empty."""

    place: str
    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...]

    @property
    def payload_digest(self) -> str:
        """The digest of the signed payload: a sender may vary the other bytes of an envelope."""
        return digest_bytes(self.payload)


@dataclass(frozen=True, slots=True)
class Item:
    """One document of a file. `content`: the bytes to store; `value`: their JSON; `envelope`: the signed payload."""

    place: str
    content: bytes
    value: dict[str, Any]
    envelope: Envelope | None


def items(document: bytes) -> list[Item]:
    """The documents of a file; of several each is an envelope. DocumentRefused for what does not say one thing only."""
    numbered = _lines(document.removeprefix(MARK))
    if numbered:
        _check_around(document)
        return [_on_a_line(number, text) for number, text in numbered]
    value = an_object(read_json(document), "$")
    envelope = _envelope_in(value, "$")
    if isinstance(value.get("attestations"), list):
        if envelope is not None:
            raise DocumentRefused("This is an envelope and a list of attestations: it must be one of them.")
        _check_around(document)
        return _listed(value)
    if envelope is not None:
        _check_around(document)
    return [Item("$", document, value, envelope)]


def signed_items(document: bytes) -> list[Item]:
    """`items` of a file that has envelopes, for the web process. Cost: at most 50,000 values, then by size."""
    _check_around(document)
    return items(document)


def _check_around(document: bytes) -> None:
    """Base64 has neither commas nor brackets: all of them stand around the payloads."""
    if document.count(b",") + document.count(b"[") + document.count(b"{") > MOST_VALUES_AROUND:
        raise DocumentRefused(f"More than {MOST_VALUES_AROUND} values stand around the signed payloads.")


def _lines(text: bytes) -> list[tuple[int, bytes]]:
    """The lines of a file with several objects, and their numbers; none for a file with one.

    Inside of one no line ends with an object before a line that begins with one: a comma would stand between.
    """
    begin = len(text) - len(text.lstrip(_SPACE))
    end = text.find(b"\n", begin)
    if end < 0 or not _ANOTHER.match(text, end) or text[begin : begin + 1] != b"{":
        return []
    if not text[begin:end].rstrip(_SPACE).endswith(b"}"):
        return []
    if text.rstrip(_SPACE).count(b"\n") >= MOST_ENVELOPES:
        raise DocumentRefused(f"The file has more than {MOST_ENVELOPES} lines: send fewer envelopes at a time.")
    found = ((number, each.removesuffix(b"\r").removeprefix(MARK)) for number, each in enumerate(text.split(b"\n"), 1))
    return [(number, each) for number, each in found if each.strip(_SPACE)]


def _on_a_line(number: int, text: bytes) -> Item:
    place = f"line {number}: $"
    try:
        value = an_object(read_json(text), "$")
    except DocumentRefused as refused:
        inside = refused.place
        where = place + inside[1:] if inside.startswith("$") else inside.replace("line 1,", f"line {number},")
        raise DocumentRefused(refused.message, where, code=refused.code) from None
    envelope = _envelope_in(value, place)
    if envelope is None:
        raise DocumentRefused(
            "Several documents in one file must be DSSE envelopes or Sigstore bundles: this is neither.", place
        )
    return Item(place, text, value, envelope)


def _listed(value: dict[str, Any]) -> list[Item]:
    """Only the bundles are stored, each in canonical form: the list around them is unsigned."""
    entries = objects(value, "attestations", "$")
    if not 0 < len(entries) <= MOST_ENVELOPES:
        raise DocumentRefused(
            f"The list has {len(entries)} attestations: send 1 to {MOST_ENVELOPES} at a time.", "$.attestations"
        )
    found = []
    for each, where in entries:
        place = at(where, "bundle")
        if each.get("bundle") is None:
            raise DocumentRefused(
                "The attestation itself is not here, only where it is to be had: send the file that"
                " `gh attestation download` writes.",
                place,
            )
        bundle = an_object(each["bundle"], place)
        envelope = _envelope_in(bundle, place)
        if envelope is None:
            raise DocumentRefused("This is no Sigstore bundle.", place)
        found.append(Item(place, canonical_bytes(bundle), bundle, envelope))
    return found


def _envelope_in(value: dict[str, Any], place: str) -> Envelope | None:
    """The envelope that an object is or carries; None for another object."""
    is_envelope, media_type = value.keys() >= _ENVELOPE, value.get("mediaType")
    carried = {name for name in (_DOCUMENT | _SIGNATURE) & value.keys() if value[name] is not None}
    is_bundle = bool(carried & _DOCUMENT) or (isinstance(media_type, str) and media_type.startswith(BUNDLE))
    if is_envelope and is_bundle:
        raise DocumentRefused("This is an envelope and a Sigstore bundle: it must be one of them.", place)
    if is_envelope:
        return _opened(value, place)
    if not is_bundle:
        return None
    if carried and carried <= _SIGNATURE:
        raise DocumentRefused(
            "This Sigstore bundle is a signature of an artifact and carries no document: send an attestation,"
            " as `cosign attest` and `gh attestation` write it.",
            place,
        )
    if carried != {"dsseEnvelope"}:
        raise DocumentRefused("A Sigstore bundle has its document in dsseEnvelope, and nothing beside it.", place)
    inside = at(place, "dsseEnvelope")
    return _opened(an_object(value["dsseEnvelope"], inside), inside)


def _opened(envelope: dict[str, Any], place: str) -> Envelope:
    line(envelope, "payloadType", place)
    signatures = objects(envelope, "signatures", place)
    if not 0 < len(signatures) <= MOST_SIGNATURES:
        raise DocumentRefused(f"An envelope has 1 to {MOST_SIGNATURES} signatures.", at(place, "signatures"))
    found = [_signature(each, where) for each, where in signatures]
    text, inside = member(envelope, "payload", place), at(place, "payload")
    if not isinstance(text, str):
        raise DocumentRefused("The payload must be base64 text.", inside)
    payload = _decoded(text)
    if payload is None:
        raise DocumentRefused("The payload is not base64.", inside)
    return Envelope(place, envelope["payloadType"], payload, tuple(each for each in found if each is not None))


def _signature(entry: dict[str, Any], place: str) -> tuple[str, bytes] | None:
    """None for one that is no base64: no key verifies it."""
    line(entry, "sig", place, longest=_LONGEST)
    signature = _decoded(entry["sig"])
    return None if signature is None else (maybe_line(entry, "keyid", place, longest=_LONGEST) or "", signature)


def _decoded(text: str) -> bytes | None:
    """DSSE lets writers choose between the standard and the URL-safe alphabet."""
    try:
        return base64.b64decode(text.translate(_STANDARD_ALPHABET), validate=True)
    except (binascii.Error, ValueError):
        return None
