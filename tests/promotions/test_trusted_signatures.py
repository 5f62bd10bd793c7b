import json

import pytest

from promotions.trusted_signatures import KeyUnusable, SignatureWrong, key_id, public_key, signer_of
from tests.promotions.documents import Signer
from tests.promotions.formats.samples import cyclonedx

KINDS = ["p256", "p256-der", "ed25519", "rsa-pss", "rsa-pkcs1"]


@pytest.mark.parametrize("kind", KINDS)
def test_signatures_are_known_as_the_tools_make_them(kind: str) -> None:
    signer = Signer(kind)
    key = public_key(signer.pem)
    assert signer_of(json.dumps(signer.envelope(cyclonedx())).encode(), {key_id(key): key}) == key_id(key)


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_under_another_payload_is_nobodys(kind: str) -> None:
    signer = Signer(kind)
    key = public_key(signer.pem)
    envelope = {**signer.envelope(cyclonedx()), "payload": signer.envelope({"a": 1})["payload"]}
    assert signer_of(json.dumps(envelope).encode(), {key_id(key): key}) is None


def test_a_signature_covers_the_payload_type() -> None:
    signer = Signer()
    key = public_key(signer.pem)
    envelope = {**signer.envelope(cyclonedx()), "payloadType": "text/plain"}
    assert signer_of(json.dumps(envelope).encode(), {key_id(key): key}) is None


def test_another_key_signed_nothing() -> None:
    other = public_key(Signer().pem)
    assert signer_of(json.dumps(Signer().envelope(cyclonedx())).encode(), {key_id(other): other}) is None


def test_a_wrong_signature_in_the_name_of_a_trusted_key_is_refused() -> None:
    trusted = public_key(Signer().pem)
    envelope = Signer().envelope(cyclonedx(), key_id=key_id(trusted))
    with pytest.raises(SignatureWrong):
        signer_of(json.dumps(envelope).encode(), {key_id(trusted): trusted})


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
