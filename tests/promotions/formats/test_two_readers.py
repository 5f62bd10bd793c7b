"""The web process finds what is signed in the bytes anew: what it finds is what the child read, whatever the bytes."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promotions.formats import envelopes
from promotions.formats.reading import DocumentRefused
from tests.examples import examples
from tests.promotions.formats.samples import ARTIFACT, answered, bundle, lines, read, statement, unsigned_envelope

MARK = b"\xef\xbb\xbf"
ONE, TWO = (unsigned_envelope(statement("https://example.test/document", {"who": who})) for who in ("one", "two"))


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def twice(document: Any, name: str, value: Any) -> bytes:
    """A name a second time in an object, which JSON readers take for the first, the last, or an error."""
    return text(document)[:-1] + b", " + text(name) + b": " + text(value) + b"}"


TRICKS: dict[str, bytes] = {
    "two payloads": twice(ONE, "payload", TWO["payload"]),
    "two lists of signatures": twice(ONE, "signatures", TWO["signatures"]),
    "two envelopes in a bundle": twice(bundle(ONE), "dsseEnvelope", TWO),
    "an escaped second name": text(bundle(ONE))[:-1] + b', "dsse\\u0045nvelope": ' + text(TWO) + b"}",
    "the names of the other spelling": text(bundle(ONE, dsse_envelope=TWO)),
    "a bundle in an envelope": text({**ONE, "dsseEnvelope": TWO}),
    "an envelope in a list": text({**ONE, **answered(bundle(TWO))}),
    "two lists": twice(answered(bundle(ONE)), "attestations", answered(bundle(TWO))["attestations"]),
    "a mark": MARK + text(ONE),
    "two marks": MARK + MARK + text(ONE),
    "a mark on the second line": text(ONE) + b"\n" + MARK + text(TWO),
    "more on the line": text(ONE) + text(TWO),
    "more on the next line": text(ONE) + b"\n" + text(TWO),
    "more after a carriage return": text(ONE) + b"\r" + text(TWO),
    "more after a line separator": text(ONE) + "\u2028".encode() + text(TWO),
    "more after a form feed": text(ONE) + b"\x0c" + text(TWO),
    "more after a NUL": text(ONE) + b"\x00" + text(TWO),
    "garbage at the end": text(ONE) + b"\x00\x00",
    "a line of garbage at the end": text(ONE) + b"\n" + text(TWO) + b"\nx",
    "UTF-16": json.dumps(ONE).encode("utf-16"),
    "UTF-16 without a mark": json.dumps(ONE).encode("utf-16-le"),
    "an invalid byte": text(ONE)[:-1] + b', "a": "\xff"}',
    "an overlong byte": text(ONE)[:-1] + b', "a": "\xc0\xaf"}',
    "half a surrogate": text(ONE)[:-1] + b', "a": "\\ud800"}',
    "a large number": text(ONE)[:-1] + b', "a": 1e999}',
    "a comment": b"/* */" + text(ONE),
    "base64 with a line end": text({**ONE, "payload": ONE["payload"] + "\n"}),
    "base64 with more after its end": text({**ONE, "payload": ONE["payload"].rstrip("=") + "==" + TWO["payload"]}),
    "base64 that is not padded": text({**ONE, "payload": ONE["payload"].rstrip("=") + "e"}),
    "both alphabets": text({**ONE, "payload": "-_+/" + ONE["payload"]}),
}


def agree(document: bytes) -> None:
    """Child and web process see the same payloads in the same places, or both refuse the file."""
    try:
        answer = read("attestation", document)
    except DocumentRefused:
        return
    seen = {item.place: item.envelope for item in envelopes.signed_items(document)}
    for each in (answer, *answer["others"]):
        envelope = seen[each["place"]]
        assert envelope is not None
        assert envelope.payload_digest == each["payloadDigest"]
        said = json.loads(envelope.payload)
        assert [subject["digest"]["sha256"] for subject in said["subject"]] == [ARTIFACT.removeprefix("sha256:")]


@pytest.mark.parametrize("document", TRICKS.values(), ids=TRICKS)
def test_no_trick_shows_the_child_another_payload_than_the_web_process(document: bytes) -> None:
    agree(document)


READ = {"a mark", "a mark on the second line", "more on the next line"}


@pytest.mark.parametrize("name", TRICKS)
def test_a_file_that_two_readers_may_see_differently_is_refused(name: str) -> None:
    if name in READ:
        assert read("attestation", TRICKS[name])["enveloped"]
    else:
        with pytest.raises(DocumentRefused):
            read("attestation", TRICKS[name])


@given(
    pieces=st.lists(
        st.sampled_from([text(ONE), text(bundle(TWO)), b"\n", b"\r\n", b" ", MARK, b"\x00", b"{", b"}", b"[", b","]),
        max_size=7,
    )
)
@settings(max_examples=examples(400))
def test_no_file_of_such_pieces_does(pieces: list[bytes]) -> None:
    agree(b"".join(pieces))


@given(
    document=st.sampled_from([text(ONE), text(bundle(ONE)), text(answered(bundle(ONE), bundle(TWO))), lines(ONE, TWO)]),
    at=st.floats(0, 1),
    put=st.sampled_from([b"", b'"', b"\\", b"\n", b"}", b"{", b":", b",", b"0", MARK, b'"payload":"e30="']),
    cut=st.integers(0, 40),
)
@settings(max_examples=examples(400))
def test_no_file_with_a_piece_changed_does(document: bytes, at: float, put: bytes, cut: int) -> None:
    where = int(at * len(document))
    agree(document[:where] + put + document[where + cut :])
