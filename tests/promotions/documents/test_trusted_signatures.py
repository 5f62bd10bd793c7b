from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.hashes import SHA384, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from promotions.documents.trusted_signatures import (
    KeyUnusable,
    SignatureWrong,
    algorithm,
    key_id,
    public_key,
    signer_of,
)
from promotions.formats.envelopes import Envelope, items
from tests.promotions.formats.samples import bundle, cyclonedx, lines
from tests.promotions.uploads import Signer

KINDS = [
    "p256",
    "p256-der",
    "p384",
    "p384-der",
    "p384-sha256",
    "p521",
    "p521-der",
    "p521-sha256",
    "ed25519",
    "rsa-pss",
    "rsa-pkcs1",
]


def sent(*documents: Any) -> Envelope:
    """The last of the envelopes in a file."""
    found = items(lines(*documents))[-1].envelope
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_known_as_the_tools_make_them(kind: str) -> None:
    signer = Signer(kind)
    key = public_key(signer.pem)
    assert signer_of(sent(signer.envelope(cyclonedx())), {key_id(key): key}) == key_id(key)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_under_another_payload_is_nobodys(kind: str) -> None:
    signer = Signer(kind)
    key = public_key(signer.pem)
    envelope = {**signer.envelope(cyclonedx()), "payload": signer.envelope({"a": 1})["payload"]}
    assert signer_of(sent(envelope), {key_id(key): key}) is None


def test_a_signature_covers_the_payload_type() -> None:
    signer = Signer()
    key = public_key(signer.pem)
    envelope = {**signer.envelope(cyclonedx()), "payloadType": "text/plain"}
    assert signer_of(sent(envelope), {key_id(key): key}) is None


def test_another_key_signed_nothing() -> None:
    other = public_key(Signer().pem)
    assert signer_of(sent(Signer().envelope(cyclonedx())), {key_id(other): other}) is None


def test_a_wrong_signature_in_the_name_of_a_trusted_key_is_refused() -> None:
    trusted = public_key(Signer().pem)
    envelope = Signer().envelope(cyclonedx(), key_id=key_id(trusted))
    with pytest.raises(SignatureWrong):
        signer_of(sent(envelope), {key_id(trusted): trusted})


def test_a_signature_that_is_no_base64_is_by_nobody_and_the_next_one_counts() -> None:
    signer = Signer()
    key = public_key(signer.pem)
    envelope = signer.envelope(cyclonedx())
    envelope["signatures"] = [{"sig": "not base64", "keyid": key_id(key)}, *envelope["signatures"]]
    assert signer_of(sent(envelope), {key_id(key): key}) == key_id(key)


def test_a_signature_inside_a_bundle_is_over_its_own_payload() -> None:
    signer, other = Signer(), Signer()
    key = public_key(signer.pem)
    mine, theirs = bundle(signer.envelope(cyclonedx())), bundle(other.envelope(cyclonedx()))
    assert signer_of(sent(theirs, mine), {key_id(key): key}) == key_id(key)
    assert signer_of(sent(mine, theirs), {key_id(key): key}) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(KeyUnusable):
        public_key(text)


def pem(private: Any) -> str:
    text: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


@pytest.mark.parametrize(
    "private",
    [
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.SECP224R1()),
        ec.generate_private_key(ec.BrainpoolP384R1()),
        ed448.Ed448PrivateKey.generate(),
        rsa.generate_private_key(65537, 1024),  # noqa: S505 - it is refused
    ],
    ids=["secp256k1", "p224", "brainpool", "ed448", "rsa-1024"],
)
def test_a_key_of_another_kind_is_refused_with_the_kinds_there_are(private: Any) -> None:
    with pytest.raises(KeyUnusable, match="P-256, P-384, P-521, Ed25519 or RSA"):
        public_key(pem(private))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("p256", "ECDSA P-256"),
        ("p384", "ECDSA P-384"),
        ("p521", "ECDSA P-521"),
        ("ed25519", "Ed25519"),
        ("rsa-pss", "RSA 2048"),
    ],
)
def test_a_key_says_what_it_is(kind: str, words: str) -> None:
    assert algorithm(public_key(Signer(kind).pem)) == words


@pytest.mark.parametrize(("kind", "other"), [("p256-der", SHA384()), ("p521-der", SHA384())])
def test_a_hash_that_no_tool_signs_with_on_a_curve_makes_no_signer(kind: str, other: HashAlgorithm) -> None:
    signer = Signer(kind)
    signer.hash = other
    key = public_key(signer.pem)
    assert signer_of(sent(signer.envelope(cyclonedx())), {key_id(key): key}) is None
