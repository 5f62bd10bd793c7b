"""Documents about artifacts for tests, uploaded by the product's own actions, and keys that sign them."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from policies.models import Proposal
from promotions.actions.trust_key import trust_key
from promotions.actions.upload_document import Upload, read_upload, upload_document
from promotions.actions.upload_feed import read_feed, upload_feed
from promotions.models import EvidenceDocument, Feed, TrustedKey
from stellapromote.accounts.actor import Actor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.signing.dsse import pae
from tests.kept import kept
from tests.promotions.formats.samples import EPSS, KEV
from tests.proposals import confirmed

IN_TOTO = "application/vnd.in-toto+json"


def uploaded(by: Actor, artifact: str, kind: str, document: Any, *, clock: Clock = DATABASE_CLOCK) -> EvidenceDocument:
    """By somebody who may write evidence; `document` as bytes or as what they say."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return upload_document(read_upload(Upload(artifact, kind, content), by=by), by=by, clock=clock).document


def feed(by: Actor, kind: str, document: Any, *, clock: Clock = DATABASE_CLOCK) -> Feed:
    """By somebody who may write policies; the platform owner confirms where that takes two."""
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    stored = confirmed(upload_feed(read_feed(kind, content, by=by), by=by, clock=clock), clock)
    if isinstance(stored, Proposal):
        return Feed.objects.filter(tenant_id=by.tenant, kind=kind).latest("uploaded_at")
    return stored.feed


CURVES: dict[str, tuple[ec.EllipticCurve | None, HashAlgorithm]] = {
    "p256": (ec.SECP256R1(), SHA256()),
    "p384": (ec.SECP384R1(), SHA384()),
    "p521": (ec.SECP521R1(), SHA512()),
}


class Signer:
    """A key pair of one of the kinds that tools sign with: p256, p384 or p521 (raw; `-der`; `-sha256` is DER, too),
    ed25519, rsa-pss, rsa-pkcs1."""

    def __init__(self, kind: str = "p256-der") -> None:
        self.kind = kind
        self.curve, self.hash = CURVES.get(kind.partition("-")[0], (None, SHA256()))
        self.key: Any = (
            ec.generate_private_key(self.curve)
            if self.curve
            else ed25519.Ed25519PrivateKey.generate()
            if kind == "ed25519"
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )

    @property
    def pem(self) -> str:
        text: bytes = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return text.decode()

    def sign(self, message: bytes) -> bytes:
        signature: bytes
        if self.curve:
            signature = self.key.sign(message, ec.ECDSA(SHA256() if self.kind.endswith("-sha256") else self.hash))
            if self.kind in CURVES:
                half = (self.curve.key_size + 7) // 8
                signature = b"".join(each.to_bytes(half, "big") for each in decode_dss_signature(signature))
        elif self.kind == "ed25519":
            signature = self.key.sign(message)
        elif self.kind == "rsa-pss":
            pss = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
            signature = self.key.sign(message, pss, SHA256())
        else:
            signature = self.key.sign(message, padding.PKCS1v15(), SHA256())
        return signature

    def envelope(self, inside: Any, *, key_id: str = "", payload_type: str = IN_TOTO) -> dict[str, Any]:
        payload = json.dumps(inside).encode()
        return {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": key_id, "sig": base64.b64encode(self.sign(pae(payload_type, payload))).decode()}],
        }


@kept
def what_policies_name(by: Actor, *, clock: Clock = DATABASE_CLOCK) -> TrustedKey:
    """The trusted key `ci`, which is returned, and a feed of each kind, so that a policy may name them."""
    feed(by, "kev", KEV, clock=clock)
    feed(by, "epss", EPSS, clock=clock)
    key = trust_key("ci", Signer().pem, by=by, clock=clock)
    assert isinstance(key, TrustedKey)
    return key
