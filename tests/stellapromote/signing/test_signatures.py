import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.signing.signatures import sign, verify_der, verify_es256

KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PAYLOAD = b'{"decision":"allow"}'

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


def numbers_of(signature: bytes) -> tuple[int, int]:
    return decode_dss_signature(signature)


def raw_of(signature: bytes) -> bytes:
    r, s = numbers_of(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def high(signature: bytes) -> bytes:
    """The other signature that the same key makes valid: everybody can compute it."""
    r, s = numbers_of(signature)
    return encode_dss_signature(r, ORDER - s)


def long_length(der: bytes) -> bytes:
    """The same numbers, with the length of the sequence in the long form of BER."""
    return der[:1] + b"\x81" + der[1:]


def padded(der: bytes) -> bytes:
    """The same numbers, with a zero byte more before the first of them."""
    length = der[3]
    return b"\x30" + bytes([der[1] + 1]) + b"\x02" + bytes([length + 1]) + b"\x00" + der[4:]


SIGNATURE = sign(KEY, PAYLOAD)
RAW = raw_of(SIGNATURE)


@given(st.binary(max_size=300))
def test_a_signature_verifies_over_what_was_signed(payload: bytes) -> None:
    assert verify_der(KEY.public_key(), payload, sign(KEY, payload))


@given(st.binary(max_size=50))
def test_a_signature_is_der_with_low_s(payload: bytes) -> None:
    signature = sign(KEY, payload)
    r, s = numbers_of(signature)

    assert encode_dss_signature(r, s) == signature
    assert s <= ORDER // 2


def test_our_signature_verifies_with_another_library() -> None:
    KEY.public_key().verify(SIGNATURE, PAYLOAD, ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(SIGNATURE, PAYLOAD + b" ", ec.ECDSA(SHA256()))


def test_the_raw_form_of_a_signature_verifies_as_es256() -> None:
    assert verify_es256(KEY.public_key(), PAYLOAD, RAW)
    assert verify_es256(KEY.public_key(), PAYLOAD, raw_of(high(SIGNATURE)))  # version 1.0 signed with either


def test_a_published_signature_verifies() -> None:
    assert verify_es256(JWS_KEY, JWS_INPUT, JWS_SIGNATURE)


def test_halves_with_leading_zeros_keep_their_width() -> None:
    # One signature in 128 has a half that begins with a zero byte: among these there are some.
    signatures = [sign(KEY, PAYLOAD) for _ in range(2_000)]
    short = [signature for signature in signatures if len(signature) < 70]

    assert short
    assert all(verify_der(KEY.public_key(), PAYLOAD, signature) for signature in short)
    assert all(verify_es256(KEY.public_key(), PAYLOAD, raw_of(signature)) for signature in short)


@given(st.data())
def test_no_bit_of_a_signature_may_change(data: st.DataObject) -> None:
    for signature, verify in ((SIGNATURE, verify_der), (RAW, verify_es256)):
        position = data.draw(st.integers(0, len(signature) * 8 - 1))
        changed = int.from_bytes(signature, "big") ^ (1 << position)
        assert not verify(KEY.public_key(), PAYLOAD, changed.to_bytes(len(signature), "big"))


@given(st.integers(0, len(PAYLOAD) * 8 - 1))
def test_no_bit_of_the_payload_may_change(position: int) -> None:
    changed = (int.from_bytes(PAYLOAD, "big") ^ (1 << position)).to_bytes(len(PAYLOAD), "big")

    assert not verify_der(KEY.public_key(), changed, SIGNATURE)
    assert not verify_es256(KEY.public_key(), changed, RAW)


def test_the_signature_of_another_key_does_not_verify() -> None:
    theirs = sign(OTHER_KEY, PAYLOAD)

    assert not verify_der(KEY.public_key(), PAYLOAD, theirs)
    assert not verify_es256(KEY.public_key(), PAYLOAD, raw_of(theirs))


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        encode_dss_signature(0, 0),
        encode_dss_signature(1, 0),
        encode_dss_signature(0, 1),
        encode_dss_signature(ORDER, 1),
        high(SIGNATURE),
        long_length(SIGNATURE),
        padded(SIGNATURE),
        SIGNATURE + b"\x00",
        SIGNATURE[:-1],
        b"\x00" + SIGNATURE,
        b"\x30\x06\x02\x01\xff\x02\x01\x01",  # r = -1
        RAW,
    ],
    ids=[
        *("empty", "zeros", "s zero", "r zero", "order", "high s", "long length", "padded", "longer", "shorter"),
        *("shifted", "negative", "raw"),
    ],
)
def test_a_signature_in_another_form_than_der_does_not_verify(signature: bytes) -> None:
    assert not verify_der(KEY.public_key(), PAYLOAD, signature)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),  # r = s = 0
        (1).to_bytes(32, "big") + bytes(32),
        bytes(32) + (1).to_bytes(32, "big"),
        ORDER.to_bytes(32, "big") * 2,
        b"\xff" * 64,
        SIGNATURE,  # DER
        RAW + b"\x00",
        RAW[:63],
        b"\x00" + RAW,
        RAW[:32] + b"\x00" + RAW[32:],  # the same numbers, one of them written longer
    ],
    ids=["empty", "zeros", "s zero", "r zero", "order", "ones", "der", "longer", "shorter", "shifted", "padded"],
)
def test_a_signature_in_another_form_than_raw_does_not_verify_as_es256(signature: bytes) -> None:
    assert not verify_es256(KEY.public_key(), PAYLOAD, signature)


def test_a_key_of_another_curve_does_not_sign() -> None:
    with pytest.raises(ValueError, match="P-256"):
        sign(ec.generate_private_key(ec.SECP384R1()), PAYLOAD)


def test_a_key_of_another_curve_of_the_same_size_does_not_verify() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    r, s = decode_dss_signature(key.sign(PAYLOAD, ec.ECDSA(SHA256())))
    low = encode_dss_signature(r, min(s, ORDER - s))

    assert not verify_der(key.public_key(), PAYLOAD, low)
    assert not verify_es256(key.public_key(), PAYLOAD, raw_of(low))
