from typing import Any

import pytest

from stellapromote.audit.event_digest import SALT_BYTES, event_digest, plain_address, salted_digest
from stellapromote.signing.canonical_json import CanonicalJsonError

SALT = bytes(range(SALT_BYTES))
EVENT: dict[str, Any] = {
    "id": "01a208c6-0000-7000-8000-000000000001",
    "timestamp": "2026-11-23T08:00:00.000Z",
    "tenant_id": "01a208c6-0000-7000-8000-000000000002",
    "actor_type": "user",
    "actor_id": "01a208c6-0000-7000-8000-000000000003",
    "actor_name": "Nia Okafor (nia)",
    "actor_ip": "192.0.2.1",
    "action": "promotion.approved",
    "resource": "promotion",
    "resource_id": "01a208c6-0000-7000-8000-000000000004",
    "environment_id": "01a208c6-0000-7000-8000-000000000005",
    "release_id": "01a208c6-0000-7000-8000-000000000006",
    "promotion_id": "01a208c6-0000-7000-8000-000000000004",
    "before": {"status": "awaiting_approval"},
    "after": {"status": "approved"},
    "metadata": {"authMethod": "session"},
    "request_id": "r-1",
}


def test_the_digest_of_a_known_event_never_changes() -> None:
    # A chain written by an older version must stay verifiable: this value may not be adapted to the code.
    assert event_digest(EVENT, SALT).hex() == "0d60dec3c0556e076d1c1d17e2429046088a2a4fe737c7e3f791cd9a1c3b1abb"


@pytest.mark.parametrize("field", list(EVENT))
def test_every_field_is_covered(field: str) -> None:
    changed = {"status": "changed"} if isinstance(EVENT[field], dict) else "changed"
    assert event_digest({**EVENT, field: changed}, SALT) != event_digest(EVENT, SALT)


@pytest.mark.parametrize("field", ["actor_name", "actor_ip", "before", "after"])
def test_an_absent_value_is_not_an_empty_one(field: str) -> None:
    empty: Any = {} if isinstance(EVENT[field], dict) else ""
    assert event_digest({**EVENT, field: None}, SALT) != event_digest({**EVENT, field: empty}, SALT)


@pytest.mark.parametrize("place", range(SALT_BYTES))
def test_every_byte_of_the_salt_is_covered(place: int) -> None:
    salt = bytearray(SALT)
    salt[place] ^= 1
    assert event_digest(EVENT, bytes(salt)) != event_digest(EVENT, SALT)


def test_the_same_name_has_another_digest_in_every_event() -> None:
    assert salted_digest(b"a" * 16, "Nia") != salted_digest(b"b" * 16, "Nia")


def test_what_is_no_canonical_json_is_refused() -> None:
    with pytest.raises(CanonicalJsonError):
        event_digest({**EVENT, "after": {"number": 2**53}}, SALT)


@pytest.mark.parametrize(
    ("written", "plain"),
    [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("::192.0.2.1", "::c000:201")],
)
def test_an_address_has_one_spelling(written: str, plain: str) -> None:
    assert plain_address(written) == plain
