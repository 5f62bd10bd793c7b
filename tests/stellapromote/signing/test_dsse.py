import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, Key, SSlibKey

from stellapromote.signing.dsse import EnvelopeRejected, envelope, pae, verify_envelope
from stellapromote.signing.keyring import SigningKey, key_id, public_pem
from stellapromote.signing.signatures import verify_es256

IN_TOTO = "application/vnd.in-toto+json"
PAYLOAD = '{"predicate":{"decision":"allow","by":"Mei Łąka 😀"}}'.encode()


def signing_key() -> SigningKey:
    private = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(key_id(private.public_key()), private)


KEY, OTHER = signing_key(), signing_key()
KEYS = {KEY.key_id: KEY.public_key}


def second_reader(key: SigningKey) -> Key:
    """Our public key as securesystemslib knows it: its ecdsa signatures are DER, in DSSE as elsewhere."""
    return SSlibKey(key.key_id, "ecdsa", "ecdsa-sha2-nistp256", {"public": public_pem(key.public_key)})


def raw_of(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def changed(**parts: Any) -> dict[str, Any]:
    return {**envelope(IN_TOTO, PAYLOAD, KEY), **parts}


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def test_the_pre_authentication_encoding_is_that_of_the_specification() -> None:
    # the example of the DSSE protocol specification
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_the_pre_authentication_encoding_counts_bytes_and_not_characters() -> None:
    assert pae("tüp", "Łąka".encode()) == b"DSSEv1 4 t\xc3\xbcp 6 " + "Łąka".encode()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=100))
def test_the_second_reader_encodes_alike(payload_type: str, payload: bytes) -> None:
    assert pae(payload_type, payload) == Envelope(payload, payload_type, {}).pae()


@given(st.text(alphabet="a 1", max_size=4), st.binary(max_size=6), st.text(alphabet="a 1", max_size=4), st.binary())
def test_different_contents_are_never_encoded_alike(
    type_1: str, payload_1: bytes, type_2: str, payload_2: bytes
) -> None:
    assert (pae(type_1, payload_1) == pae(type_2, payload_2)) == ((type_1, payload_1) == (type_2, payload_2))


def test_an_envelope_has_the_parts_of_the_specification() -> None:
    made = envelope(IN_TOTO, PAYLOAD, KEY)

    assert made == {
        "payload": b64(PAYLOAD),
        "payloadType": IN_TOTO,
        "signatures": [{"keyid": KEY.key_id, "sig": made["signatures"][0]["sig"]}],
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.binary(max_size=200))
def test_an_envelope_gives_its_payload_back_also_after_a_journey_as_json(payload_type: str, payload: bytes) -> None:
    assert verify_envelope(json.loads(json.dumps(envelope(payload_type, payload, KEY))), KEYS) == payload


def test_our_envelope_verifies_with_the_second_reader() -> None:
    ours = Envelope.from_dict(envelope(IN_TOTO, PAYLOAD, KEY))

    assert set(ours.verify([second_reader(KEY)], threshold=1)) == {KEY.key_id}
    assert ours.payload == PAYLOAD


def test_the_second_reader_refuses_our_envelope_with_another_type() -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(changed(payloadType="text/plain")).verify([second_reader(KEY)], threshold=1)


def test_the_second_reader_refuses_our_envelope_with_another_key() -> None:
    with pytest.raises(VerificationError):
        Envelope.from_dict(envelope(IN_TOTO, PAYLOAD, KEY)).verify([second_reader(OTHER)], threshold=1)


def test_an_envelope_of_the_second_reader_verifies_here() -> None:
    theirs = Envelope(PAYLOAD, IN_TOTO, {})
    while theirs.signatures == {} or high_s(theirs):
        theirs.sign(CryptoSigner(KEY.private_key, second_reader(KEY)))

    assert verify_envelope(theirs.to_dict(), KEYS) == PAYLOAD


def high_s(theirs: Envelope) -> bool:
    """Whether s lies in the upper half: others sign with either, and we take the lower one only."""
    _, s = decode_dss_signature(bytes.fromhex(theirs.signatures[KEY.key_id].signature))
    return s > 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def test_the_url_safe_alphabet_is_read_too() -> None:
    made = envelope(IN_TOTO, b"\xfb\xff\xfe" * 9, KEY)
    made["payload"] = made["payload"].translate(str.maketrans("+/", "-_"))
    made["signatures"][0]["sig"] = made["signatures"][0]["sig"].translate(str.maketrans("+/", "-_"))

    assert "-_" in made["payload"]
    assert verify_envelope(made, KEYS) == b"\xfb\xff\xfe" * 9


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    made = envelope(IN_TOTO, PAYLOAD, KEY)
    made["signatures"] += envelope(IN_TOTO, PAYLOAD, OTHER)["signatures"]

    assert verify_envelope(made, KEYS) == PAYLOAD


@given(st.integers(0, len(PAYLOAD) * 8 - 1))
def test_a_changed_payload_never_verifies(position: int) -> None:
    tampered = (int.from_bytes(PAYLOAD, "big") ^ (1 << position)).to_bytes(len(PAYLOAD), "big")

    with pytest.raises(EnvelopeRejected, match="does not fit"):
        verify_envelope(changed(payload=b64(tampered)), KEYS)


def test_a_changed_type_never_verifies() -> None:
    with pytest.raises(EnvelopeRejected, match="does not fit"):
        verify_envelope(changed(payloadType=IN_TOTO + " "), KEYS)


SIGNATURE = KEY.sign(pae(IN_TOTO, PAYLOAD))


@given(st.integers(0, len(SIGNATURE) * 8 - 1))
def test_a_changed_signature_never_verifies(position: int) -> None:
    flipped = (int.from_bytes(SIGNATURE, "big") ^ (1 << position)).to_bytes(len(SIGNATURE), "big")

    with pytest.raises(EnvelopeRejected, match="does not fit"):
        verify_envelope(changed(signatures=[{"keyid": KEY.key_id, "sig": b64(flipped)}]), KEYS)


def test_a_signature_over_the_bare_payload_never_verifies() -> None:
    bare = [{"keyid": KEY.key_id, "sig": b64(KEY.sign(PAYLOAD))}]

    with pytest.raises(EnvelopeRejected, match="does not fit"):
        verify_envelope(changed(signatures=bare), KEYS)


def test_a_signature_in_another_encoding_than_the_expected_one_never_verifies() -> None:
    der = KEY.sign(pae(IN_TOTO, PAYLOAD))
    made, raw = (changed(signatures=[{"keyid": KEY.key_id, "sig": b64(each)}]) for each in (der, raw_of(der)))

    assert verify_envelope(made, KEYS) == verify_envelope(raw, KEYS, verify_es256) == PAYLOAD
    for broken in (lambda: verify_envelope(raw, KEYS), lambda: verify_envelope(made, KEYS, verify_es256)):
        with pytest.raises(EnvelopeRejected, match="does not fit"):
            broken()


def test_an_unknown_key_id_never_verifies() -> None:
    with pytest.raises(EnvelopeRejected, match="known key"):
        verify_envelope(envelope(IN_TOTO, PAYLOAD, OTHER), KEYS)


def test_the_signature_of_another_key_under_a_known_id_never_verifies() -> None:
    forged = envelope(IN_TOTO, PAYLOAD, SigningKey(KEY.key_id, OTHER.private_key))

    with pytest.raises(EnvelopeRejected, match="does not fit"):
        verify_envelope(forged, KEYS)


def test_a_wrong_signature_beside_a_right_one_never_verifies() -> None:
    made = envelope(IN_TOTO, PAYLOAD, KEY)
    made["signatures"] += envelope("text/plain", PAYLOAD, OTHER)["signatures"]

    with pytest.raises(EnvelopeRejected, match=OTHER.key_id):
        verify_envelope(made, {**KEYS, OTHER.key_id: OTHER.public_key})


def test_no_keys_verify_nothing() -> None:
    with pytest.raises(EnvelopeRejected, match="known key"):
        verify_envelope(envelope(IN_TOTO, PAYLOAD, KEY), {})


@pytest.mark.parametrize(
    "broken",
    [
        {},
        [],
        "text",
        None,
        {"payload": b64(PAYLOAD), "payloadType": IN_TOTO},
        changed(signatures=[]),
        changed(signatures=None),
        changed(signatures={}),
        changed(signatures=["text"]),
        changed(signatures=[{}]),
        changed(signatures=[{"sig": b64(KEY.sign(pae(IN_TOTO, PAYLOAD)))}]),  # no key id
        changed(signatures=[{"keyid": "", "sig": b64(KEY.sign(pae(IN_TOTO, PAYLOAD)))}]),
        changed(signatures=[{"keyid": [], "sig": ""}]),
        changed(signatures=[{"keyid": KEY.key_id}]),
        changed(signatures=[{"keyid": KEY.key_id, "sig": ""}]),
        changed(signatures=[{"keyid": KEY.key_id, "sig": None}]),
        changed(signatures=[{"keyid": KEY.key_id, "sig": "not base64!"}]),
        changed(payload=None),
        changed(payload=b64(PAYLOAD) + "\n"),
        changed(payload=b64(PAYLOAD) + "ö"),
        changed(payload="A"),
        changed(payload="QR=="),  # the last four bits say nothing, and are not zero
        changed(payloadType=None),
        changed(payloadType=1),
        changed(payloadType=b"bytes"),
        changed(payloadType="\ud800"),
    ],
)
def test_whatever_is_no_whole_envelope_is_rejected(broken: Any) -> None:
    with pytest.raises(EnvelopeRejected):
        verify_envelope(broken, KEYS)
