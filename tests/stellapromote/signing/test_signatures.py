import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.signing.signatures import sign_es256, verify_es256

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PAYLOAD = b'{"decision":"allow"}'
SIGNATURE = sign_es256(KEY, PAYLOAD)

# RFC 7515, appendix A.3: a published ES256 signature with its key and signing input
JWS_KEY = ec.EllipticCurvePublicNumbers(
    x=0x7FCDCE2770F6C45D4183CBEE6FDB4B7B580733357BE9EF13BACF6E3C7BD15445,
    y=0xC7F144CD1BBD9B7E872CDFEDB9EEB9F4B3695D6EA90B24AD8A4623288588E5AD,
    curve=ec.SECP256R1(),
).public_key()
JWS_INPUT = (
    b"eyJhbGciOiJFUzI1NiJ9"
    b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
)
JWS_SIGNATURE = base64.urlsafe_b64decode(
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q=="
)


@given(st.binary(max_size=300))
def test_a_signature_verifies_over_what_was_signed(payload: bytes) -> None:
    assert verify_es256(KEY.public_key(), payload, sign_es256(KEY, payload))


@given(st.binary(max_size=50))
def test_a_signature_is_64_bytes(payload: bytes) -> None:
    assert len(sign_es256(KEY, payload)) == 64


def test_our_signature_verifies_with_the_der_interface_of_cryptography() -> None:
    raw = sign_es256(KEY, PAYLOAD)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))

    KEY.public_key().verify(der, PAYLOAD, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(der, PAYLOAD + b" ", ec.ECDSA(SHA256()))


def test_a_signature_of_the_der_interface_verifies_here_once_it_is_raw() -> None:
    r, s = decode_dss_signature(KEY.sign(PAYLOAD, ec.ECDSA(SHA256())))

    assert verify_es256(KEY.public_key(), PAYLOAD, r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_a_published_signature_verifies() -> None:
    assert verify_es256(JWS_KEY, JWS_INPUT, JWS_SIGNATURE)


def test_halves_with_leading_zeros_keep_their_width() -> None:
    # One signature in 128 has a half that begins with a zero byte: among these there are some.
    signatures = [sign_es256(KEY, PAYLOAD) for _ in range(2_000)]
    short = [signature for signature in signatures if 0 in (signature[0], signature[32])]

    assert short
    assert all(len(signature) == 64 and verify_es256(KEY.public_key(), PAYLOAD, signature) for signature in short)


@given(st.integers(0, 64 * 8 - 1))
def test_no_bit_of_a_signature_may_change(position: int) -> None:
    signature = int.from_bytes(sign_es256(KEY, PAYLOAD), "big") ^ (1 << position)

    assert not verify_es256(KEY.public_key(), PAYLOAD, signature.to_bytes(64, "big"))


@given(st.integers(0, len(PAYLOAD) * 8 - 1))
def test_no_bit_of_the_payload_may_change(position: int) -> None:
    changed = (int.from_bytes(PAYLOAD, "big") ^ (1 << position)).to_bytes(len(PAYLOAD), "big")

    assert not verify_es256(KEY.public_key(), changed, sign_es256(KEY, PAYLOAD))


def test_the_signature_of_another_key_does_not_verify() -> None:
    assert not verify_es256(KEY.public_key(), PAYLOAD, sign_es256(OTHER_KEY, PAYLOAD))


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),  # r = s = 0
        (1).to_bytes(32, "big") + bytes(32),
        bytes(32) + (1).to_bytes(32, "big"),
        ORDER.to_bytes(32, "big") * 2,
        b"\xff" * 64,
        KEY.sign(PAYLOAD, ec.ECDSA(SHA256())),  # DER
        SIGNATURE + b"\x00",
        SIGNATURE[:63],
        b"\x00" + SIGNATURE,
        SIGNATURE[:32] + b"\x00" + SIGNATURE[32:],  # the same numbers, one of them written longer
    ],
    ids=["empty", "zeros", "s zero", "r zero", "order", "ones", "der", "longer", "shorter", "shifted", "padded"],
)
def test_a_signature_of_another_form_does_not_verify(signature: bytes) -> None:
    assert not verify_es256(KEY.public_key(), PAYLOAD, signature)


def test_a_key_of_another_curve_does_not_sign() -> None:
    with pytest.raises(ValueError, match="P-256"):
        sign_es256(ec.generate_private_key(ec.SECP384R1()), PAYLOAD)


def test_a_key_of_another_curve_of_the_same_size_does_not_verify() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    r, s = decode_dss_signature(key.sign(PAYLOAD, ec.ECDSA(SHA256())))

    assert not verify_es256(key.public_key(), PAYLOAD, r.to_bytes(32, "big") + s.to_bytes(32, "big"))
