"""What version 1.0 signed and decided verifies and replays with this version (kept_from_1_0/README.md)."""

import base64
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from promotions.packets.verifying import Kind, Verification, verify
from promotions.verification.replay import replay
from tests.promotions.verification.kept_from_1_0 import CASES, KEYS, Case, records_of, store_what_records_name

BY_NAME = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def verified(case: Case, document: Any) -> Verification:
    """By an installation that has stored what it left behind, and still has its key."""
    kept: dict[tuple[Kind, str], bytes] = {}
    for packet in case.packets:
        packet_id = orjson.loads(packet["document"])["id"]
        kept["packet", packet_id] = packet["document"].encode()
        kept["capsule", packet_id] = packet["envelope"].encode()
    for each in case.human_decisions:
        kept["humanDecision", each["id"]] = each["envelope"].encode()
    return verify(document, KEYS, lambda kind, stored_id: kept.get((kind, stored_id)))


def signed(case: Case) -> list[dict[str, Any]]:
    """Every packet, alone and with its envelope, and every envelope."""
    found = []
    for packet in case.packets:
        document, envelope = orjson.loads(packet["document"]), orjson.loads(packet["envelope"])
        found += [document, {**document, "envelope": envelope}, envelope]
    return [*found, *(orjson.loads(each["envelope"]) for each in case.human_decisions)]


def test_every_kind_of_what_was_signed_is_kept() -> None:
    packets = [orjson.loads(packet["document"]) for case in CASES for packet in case.packets]
    decisions = [packet["content"]["decision"].get("result") for packet in packets]
    assert {packet["type"] for packet in packets} == {"release_decision", "deployment", "rollback"}
    assert {packet["version"] for packet in packets} == {"1.0"}
    assert {"allow", "deny"} <= set(decisions)
    assert any(case.human_decisions for case in CASES)


@BY_NAME
def test_it_verifies(case: Case) -> None:
    for document in signed(case):
        found = verified(case, document)
        assert found.complete, found


@BY_NAME
def test_a_changed_signature_does_not(case: Case) -> None:
    for document in signed(case):
        holder = document["signatures"][0] if "signatures" in document else document
        name = "sig" if "signatures" in document else "signature"
        holder[name] = ("B" if holder[name][0] == "A" else "A") + holder[name][1:]
        assert not verified(case, document).valid


@BY_NAME
def test_its_signatures_are_taken_raw_only(case: Case) -> None:
    for document in signed(case):
        holder = document["signatures"][0] if "signatures" in document else document
        name = "sig" if "signatures" in document else "signature"
        raw = base64.b64decode(holder[name])
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        holder[name] = base64.b64encode(der).decode()
        assert not verified(case, document).valid


@pytest.mark.django_db
@BY_NAME
def test_it_replays_equal(case: Case) -> None:
    store_what_records_name()
    for record in records_of(case):
        found = replay(record)
        assert found.equal, found


@pytest.mark.django_db
def test_a_changed_record_does_not_replay_equal() -> None:
    case = next(each for each in CASES if each.name == "approved-deployed-rolled-back")
    store_what_records_name()
    record = records_of(case)[-1]
    record.document = bytes(record.document).replace(b'"allow"', b'"deny"')
    assert replay(record).equal is False
