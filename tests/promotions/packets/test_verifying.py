"""Every check of a packet and of an envelope, broken one at a time (promotions/packets/verifying/)."""

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promotions.documents.manifest import manifest_digest
from promotions.packets.packet import HUMAN_DECISION_PREDICATE_TYPE, PAYLOAD_TYPE, sign_packet
from promotions.packets.verifying import Kind, KnownKey, Verification
from promotions.packets.verifying import verify as verify_against
from stellapromote.ids import new_id
from stellapromote.signing import dsse
from stellapromote.signing.canonical_json import canonical_bytes, digest, digest_bytes
from stellapromote.signing.keyring import SigningKey, key_id

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def _key() -> SigningKey:
    private = generate_private_key(SECP256R1())
    return SigningKey(key_id(private.public_key()), private)


KEY, OTHER = _key(), _key()
KEYS = {KEY.key_id: KnownKey(KEY.public_key)}
RECORD_ID, EARLIER_ID = str(new_id()), str(new_id())
RECORD, EARLIER, INPUT = b'{"decision":"allow"}', b'{"decision":"pending"}', b'{"instant":"now"}'
COMPONENTS: list[Any] = [
    {"name": "api", "imageRepository": "r/api", "digest": "sha256:" + "ab" * 32, "role": "primary", "tag": "1"}
]
CONTENT: dict[str, Any] = {
    "schema": "stella.packet-content/v1",
    "release": {"components": COMPONENTS, "manifestDigest": manifest_digest(COMPONENTS)},
    "number": 1,
    "decision": {"recordId": RECORD_ID},
    "recordDigest": digest_bytes(RECORD),
    "inputDigest": digest_bytes(INPUT),
    "records": [
        {"id": EARLIER_ID, "sequence": 1, "digest": digest_bytes(EARLIER)},
        {"id": RECORD_ID, "sequence": 2, "digest": digest_bytes(RECORD)},
    ],
}
SIGNED = sign_packet(
    packet_id=new_id(), packet_type="release_decision", tenant_id=new_id(), generated_at=AT, content=CONTENT, key=KEY
)
PACKET: dict[str, Any] = json.loads(SIGNED.document)
ENVELOPE: dict[str, Any] = json.loads(SIGNED.envelope)


KEPT: dict[tuple[Kind, str], bytes] = {
    ("packet", PACKET["id"]): SIGNED.document,
    ("capsule", PACKET["id"]): SIGNED.envelope,
    ("record", RECORD_ID): RECORD,
    ("record", EARLIER_ID): EARLIER,
    ("input", RECORD_ID): INPUT,
}


def verify(document: Any, keys: Any, kept: Any = KEPT) -> Verification:
    """By an installation that stored PACKET and its envelope."""
    return verify_against(document, keys, lambda kind, stored_id: kept.get((kind, stored_id)))


def failed(found: Verification) -> set[str]:
    return {check.name for check in found.checks if check.result == "failed"}


def changed(document: dict[str, Any], change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    document = copy.deepcopy(document)
    change(document)
    return document


def signed_again(packet: dict[str, Any], key: SigningKey = KEY) -> dict[str, Any]:
    unsigned = {name: value for name, value in packet.items() if name != "signature"}
    return {**unsigned, "signature": base64.b64encode(key.sign(canonical_bytes(unsigned))).decode()}


def enveloped(statement: Any, key: SigningKey = KEY, kind: str = PAYLOAD_TYPE) -> dict[str, Any]:
    return dsse.envelope(kind, json.dumps(statement).encode(), key)


def _raw(signature: str) -> str:
    """As version 1.0 wrote it."""
    r, s = decode_dss_signature(base64.b64decode(signature))
    return base64.b64encode(r.to_bytes(32, "big") + s.to_bytes(32, "big")).decode()


STATEMENT: dict[str, Any] = json.loads(base64.b64decode(ENVELOPE["payload"]))


def test_what_was_signed_is_valid() -> None:
    for document in (PACKET, {**PACKET, "envelope": ENVELOPE}, ENVELOPE):
        assert verify(document, KEYS).complete, document


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (lambda p: p["content"].update(number=2), {"contentHash", "signature"}),
        (lambda p: p.update(generatedAt="2026-11-23T08:00:00.001Z"), {"signature"}),
        (lambda p: p.update(type="rollback"), {"signature"}),
        (lambda p: p.update(id=str(new_id())), {"signature"}),
        (lambda p: p.update(contentHash="sha256:" + "0" * 64), {"contentHash", "signature"}),
        (lambda p: p.update(signature=base64.b64encode(bytes(64)).decode()), {"signature"}),
        (lambda p: p.update(signature="?"), {"signature"}),
        (lambda p: p.update(signature=None), {"signature"}),
        (lambda p: p.update(signature=p["signature"][:-4]), {"signature"}),
        (lambda p: p.update(signature=_raw(p["signature"])), {"signature"}),
        (lambda p: p.update(extra=1), {"schema", "signature"}),
        (lambda p: p.pop("tenantId"), {"schema", "signature"}),
        (lambda p: p.pop("signature"), {"schema", "signature"}),
    ],
)
def test_any_change_of_a_packet_is_found(change: Callable[[dict[str, Any]], Any], checks: set[str]) -> None:
    found = verify(changed(PACKET, change), KEYS, kept={})
    assert not found.valid
    assert failed(found) == checks


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(schema="stella.evidence-packet/v2"),
        lambda p: p.update(version="2.0"),
        lambda p: p.update(version=["1.1"]),
        lambda p: p.update(signatureAlgorithm="ES256"),
        lambda p: p.update(signatureAlgorithm="none"),
        lambda p: p.update(type="gossip"),
        lambda p: p.update(type=["release_decision"]),
        lambda p: p.update(generatedAt="today"),
        lambda p: p.update(generatedAt=1),
    ],
)
def test_no_packet_of_ours_is_invalid_even_if_our_key_signed_it(
    change: Callable[[dict[str, Any]], Any],
) -> None:
    found = verify(signed_again(changed(PACKET, change)), KEYS, kept={})
    assert not found.valid
    assert failed(found) == {"schema"}


def test_a_packet_without_content_is_no_packet() -> None:
    assert failed(verify(signed_again({**PACKET, "content": [], "contentHash": digest([])}), KEYS, kept={})) == {
        "schema",
        "manifest",
    }


EVIL = "sha256:" + "ee" * 32
SWAPPED: list[Any] = [
    {"components": [{**COMPONENTS[0], "digest": EVIL}], "manifestDigest": manifest_digest(COMPONENTS)},
    {"components": [*COMPONENTS, {**COMPONENTS[0], "name": "b"}], "manifestDigest": manifest_digest(COMPONENTS)},
    {"components": COMPONENTS, "manifestDigest": EVIL},
    {"components": COMPONENTS},
    {"components": [{"name": "api"}], "manifestDigest": manifest_digest(COMPONENTS)},
    {"components": "api", "manifestDigest": manifest_digest(COMPONENTS)},
    {},
    None,
]


@pytest.mark.parametrize("release", SWAPPED)
def test_components_that_are_not_those_of_the_manifest_are_found(release: Any) -> None:
    """Our own key signed them, as version 1.0 did with what somebody had changed in the database."""
    content = {**CONTENT, "release": release}
    packet = signed_again({**PACKET, "content": content, "contentHash": digest(content)})
    assert failed(verify(packet, KEYS, kept={})) == {"manifest"}

    predicate = {**STATEMENT["predicate"], "content": content, "contentHash": digest(content)}
    assert "manifest" in failed(verify(enveloped({**STATEMENT, "predicate": predicate}), KEYS, kept={}))


def test_a_signature_is_in_the_encoding_of_the_version() -> None:
    old = {name: value for name, value in PACKET.items() if name != "signature"}
    old |= {"version": "1.0", "signatureAlgorithm": "ES256"}
    der = base64.b64encode(KEY.sign(canonical_bytes(old))).decode()
    assert failed(verify({**old, "signature": der}, KEYS, kept={})) == {"signature"}
    assert verify({**old, "signature": _raw(der)}, KEYS, kept={}).valid


def test_a_signature_by_a_stranger_proves_nothing() -> None:
    theirs = signed_again({**PACKET, "signerKeyRef": OTHER.key_id}, OTHER)
    found = verify(theirs, KEYS, kept={})
    assert not found.valid
    assert {check.name: check.result for check in found.checks}["key"] == "failed"
    assert {check.name: check.result for check in found.checks}["signature"] == "skipped"
    assert not verify(signed_again(PACKET, OTHER), KEYS).valid


def test_a_retired_key_verifies_what_it_signed_before_and_nothing_after() -> None:
    before = {KEY.key_id: KnownKey(KEY.public_key, AT + timedelta(seconds=1))}
    after = {KEY.key_id: KnownKey(KEY.public_key, AT - timedelta(seconds=1))}
    assert verify(PACKET, before).valid
    assert failed(verify(PACKET, after)) == {"key"}


@pytest.mark.parametrize(("later", "holds"), [(0, True), (10, True), (11, False)])
def test_a_key_signs_nothing_before_it_is_activated(later: int, holds: bool) -> None:
    """The clocks of two servers may be ten seconds apart."""
    key = KnownKey(KEY.public_key, activated_at=AT + timedelta(seconds=later))
    assert failed(verify(PACKET, {KEY.key_id: key})) == (set() if holds else {"key"})


def test_the_made_up_past_of_a_demo_is_older_than_its_key() -> None:
    key = KnownKey(KEY.public_key, activated_at=AT + timedelta(days=1), backdated=frozenset({PACKET["tenantId"]}))
    assert verify(PACKET, {KEY.key_id: key}).valid


RETIRED_LATER = {KEY.key_id: KnownKey(KEY.public_key, AT + timedelta(days=1))}
DECISION = dsse.envelope(
    PAYLOAD_TYPE,
    json.dumps(
        {
            "_type": STATEMENT["_type"],
            "subject": STATEMENT["subject"],
            "predicateType": HUMAN_DECISION_PREDICATE_TYPE,
            "predicate": {"id": str(new_id()), "recordedAtUtc": "2026-11-23T08:00:00.000Z"},
        }
    ).encode(),
    KEY,
)


@pytest.mark.parametrize("document", [PACKET, ENVELOPE, DECISION], ids=["packet", "envelope", "human decision"])
def test_whoever_has_a_retired_key_signs_nothing_that_holds(document: dict[str, Any]) -> None:
    found = verify(document, RETIRED_LATER, kept={})
    assert not found.valid
    assert failed(found) == {"stored"}


@pytest.mark.parametrize(
    "change",
    [lambda p: p.update(type="rollback"), lambda p: p.update(generatedAt="2026-11-22T08:00:00.000Z")],
)
@pytest.mark.parametrize("keys", [KEYS, RETIRED_LATER], ids=["active", "retired"])
def test_under_a_stored_id_nothing_else_holds(change: Callable[[dict[str, Any]], Any], keys: Any) -> None:
    forged = signed_again(changed(PACKET, change))
    assert failed(verify(forged, keys)) == {"stored"}


def test_a_stored_packet_signed_again_is_not_the_stored_one() -> None:
    assert failed(verify(signed_again(PACKET), KEYS)) == {"stored"}


@pytest.mark.parametrize("keys", [KEYS, RETIRED_LATER], ids=["active", "retired"])
def test_under_the_id_of_a_stored_packet_no_other_envelope_holds(keys: Any) -> None:
    invented = copy.deepcopy(STATEMENT)
    invented["predicate"]["content"]["number"] = 2
    invented["predicate"]["contentHash"] = digest(invented["predicate"]["content"])
    for statement in (invented, STATEMENT):
        assert failed(verify(enveloped(statement), keys)) == {"stored"}


def test_under_the_id_of_a_stored_human_decision_no_other_holds() -> None:
    statement = json.loads(base64.b64decode(DECISION["payload"]))
    kept: dict[tuple[Kind, str], bytes] = {
        ("humanDecision", statement["predicate"]["id"]): json.dumps(DECISION).encode()
    }
    assert verify(DECISION, KEYS, kept).complete
    statement["predicate"]["gate"] = "another"
    assert failed(verify(enveloped(statement), KEYS, kept)) == {"stored"}


@pytest.mark.parametrize("broken", [b"", b"[]", b"{}", b'{"payloadType": 1, "payload": 1, "signatures": 1}'])
def test_a_stored_envelope_that_cannot_be_read_is_something_else(broken: bytes) -> None:
    assert failed(verify(ENVELOPE, KEYS, {**KEPT, ("capsule", PACKET["id"]): broken})) == {"stored"}


def test_others_may_have_signed_beside_us() -> None:
    beside = {**ENVELOPE, "signatures": [*ENVELOPE["signatures"], *enveloped(STATEMENT, OTHER)["signatures"]]}
    assert verify(beside, KEYS).complete


@pytest.mark.parametrize("place", [("record", RECORD_ID), ("record", EARLIER_ID), ("input", RECORD_ID)])
@pytest.mark.parametrize("stored", [b"changed", None])
@pytest.mark.parametrize("document", [PACKET, ENVELOPE], ids=["packet", "envelope"])
def test_what_is_stored_has_the_records_that_were_signed(
    place: tuple[Kind, str], stored: bytes | None, document: dict[str, Any]
) -> None:
    kept = {key: value for key, value in {**KEPT, place: stored}.items() if value is not None}
    assert failed(verify(document, KEYS, kept)) == {"record"}


@pytest.mark.parametrize("name", ["decision", "recordDigest", "inputDigest", "records"])
def test_a_stored_packet_without_the_digest_of_its_record_does_not_hold(name: str) -> None:
    content = {key: value for key, value in CONTENT.items() if key != name}
    packet = signed_again({**PACKET, "content": content, "contentHash": digest(content)})
    kept = {**KEPT, ("packet", PACKET["id"]): canonical_bytes(packet)}
    assert failed(verify(packet, KEYS, kept)) == {"record"}


def test_what_an_active_key_signed_holds_and_is_told_where_it_is_not_stored() -> None:
    for document in (PACKET, {**PACKET, "envelope": ENVELOPE}, ENVELOPE, DECISION):
        found = verify(document, KEYS, kept={})
        assert (found.valid, found.complete) == (True, False)
        assert {check.name for check in found.checks if check.result == "skipped"} == {"stored"}


@pytest.mark.parametrize(
    ("envelope", "checks"),
    [
        ({**ENVELOPE, "payloadType": "application/json"}, {"schema", "signature"}),
        ({**ENVELOPE, "payload": "?"}, {"schema", "signature"}),
        ({**ENVELOPE, "payload": base64.b64encode(b"{}").decode()}, {"schema", "signature"}),
        ({**ENVELOPE, "signatures": []}, {"key", "signature"}),
        ({**ENVELOPE, "signatures": "x"}, {"key", "signature"}),
        ({**ENVELOPE, "signatures": [{"keyid": KEY.key_id, "sig": "AA=="}]}, {"signature"}),
        ({**ENVELOPE, "signatures": ENVELOPE["signatures"] * 21}, {"signature"}),
        (enveloped(STATEMENT, OTHER), {"key", "signature"}),
        (enveloped(STATEMENT, kind="application/json"), {"schema"}),
        (enveloped({**STATEMENT, "_type": "x"}), {"schema"}),
        (enveloped({**STATEMENT, "predicateType": "x"}), {"schema"}),
        (enveloped({**STATEMENT, "predicate": []}), {"schema"}),
        (enveloped({**STATEMENT, "subject": []}), {"subjects"}),
        (enveloped({**STATEMENT, "subject": 1}), {"subjects"}),
        (enveloped({**STATEMENT, "predicate": {**STATEMENT["predicate"], "contentHash": "x"}}), {"contentHash"}),
        (enveloped([]), {"schema"}),
    ],
)
def test_any_change_of_an_envelope_is_found(envelope: dict[str, Any], checks: set[str]) -> None:
    found = verify(envelope, KEYS, kept={})
    assert not found.valid
    assert failed(found) == checks


@pytest.mark.parametrize(
    "envelope", [None, 1, {}, enveloped({**STATEMENT, "subject": []}), {**ENVELOPE, "payload": ""}]
)
def test_a_packet_with_a_broken_envelope_beside_it_is_invalid(envelope: Any) -> None:
    found = verify({**PACKET, "envelope": envelope}, KEYS)
    assert not found.valid
    assert failed(found) == {"envelope"}


def test_the_envelope_of_another_packet_is_found() -> None:
    other = sign_packet(
        packet_id=new_id(), packet_type="deployment", tenant_id=new_id(), generated_at=AT, content=CONTENT, key=KEY
    )
    found = verify({**PACKET, "envelope": json.loads(other.envelope)}, KEYS, kept={})
    assert failed(found) == {"envelope"}


def test_an_envelope_of_another_tenant_beside_a_packet_is_found() -> None:
    """As earlier versions signed it, it names no tenant."""
    predicate = {**STATEMENT["predicate"], "tenantId": str(new_id())}
    other = enveloped({**STATEMENT, "predicate": predicate})
    assert failed(verify({**PACKET, "envelope": other}, KEYS, kept={})) == {"envelope"}
    del predicate["tenantId"]
    old = enveloped({**STATEMENT, "predicate": predicate})
    assert verify({**PACKET, "envelope": old}, KEYS, kept={}).valid


# A busy machine is no mistake of the code under test.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


@UNHURRIED
@given(_JSON)
def test_nothing_raises_and_nothing_made_up_is_valid(document: Any) -> None:
    assert not verify(document, KEYS).valid


@UNHURRIED
@given(st.sampled_from(sorted(PACKET)), _JSON)
def test_a_packet_with_any_field_replaced_never_raises(name: str, value: Any) -> None:
    document = {**PACKET, name: value}
    assert verify(document, KEYS).valid == (canonical(document) == canonical(PACKET))


@UNHURRIED
@given(st.sampled_from(sorted(ENVELOPE)), _JSON)
def test_an_envelope_with_any_field_replaced_never_raises(name: str, value: Any) -> None:
    assert verify({**ENVELOPE, name: value}, KEYS).valid == (value == ENVELOPE[name])


@UNHURRIED
@given(st.sampled_from(sorted(STATEMENT)), _JSON)
def test_a_statement_with_any_part_replaced_never_raises(name: str, value: Any) -> None:
    verify(enveloped({**STATEMENT, name: value}), KEYS)


def canonical(value: Any) -> bytes | None:
    try:
        return canonical_bytes(value)
    except ValueError:
        return None
