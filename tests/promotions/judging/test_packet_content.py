"""What a packet says of its record, of the release and of people (domain.md §8)."""

import base64
import re
from typing import Any

import orjson
import pytest

from promotions.actions.evaluate import evaluate
from promotions.actions.releases import ComponentSpec
from promotions.models import DecisionRecord, EvidencePacket, Promotion, Vote
from stellapromote.accounts.models import User
from stellapromote.clock import rfc3339
from stellapromote.signing.canonical_json import digest_bytes
from tests.factories import make_freeze
from tests.promotions.kestrel import Kestrel, make_kestrel

pytestmark = pytest.mark.django_db

SOURCE = {
    "repository": "git.example/kestrel/app",
    "commitSha": "c0ffee00",
    "branch": "main",
    "buildId": "17",
    "pipelineUrl": "https://ci.example/17",
}


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def packets_of(promotion: Promotion) -> list[dict[str, Any]]:
    rows = EvidencePacket.objects.filter(promotion=promotion).order_by("generated_at", "id")
    return [orjson.loads(bytes(row.document)) for row in rows]


def records_of(promotion: Promotion) -> list[DecisionRecord]:
    return list(DecisionRecord.objects.filter(promotion=promotion).order_by("sequence"))


def as_listed(*records: DecisionRecord) -> list[dict[str, Any]]:
    return [
        {"id": str(each.pk), "sequence": each.sequence, "digest": digest_bytes(bytes(each.document))}
        for each in records
    ]


def test_a_packet_holds_the_digests_of_its_record_and_of_all_since_the_packet_before(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    first, second, third = records_of(promotion)
    [packet] = packets_of(promotion)
    assert packet["content"]["recordDigest"] == digest_bytes(bytes(third.document))
    assert packet["content"]["inputDigest"] == digest_bytes(bytes(third.input))
    assert packet["content"]["records"] == as_listed(first, second, third)


def test_a_record_names_its_packet_and_holds_no_digest_of_it(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    [packet] = packets_of(promotion)
    document = bytes(records_of(promotion)[-1].document)
    assert orjson.loads(document)["evidence"]["packetId"] == packet["id"]
    assert packet["contentHash"].encode() not in document


def test_every_decision_after_the_first_has_the_records_in_between(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    now = kestrel.clock.now()
    kestrel.wait()
    end = rfc3339(kestrel.clock.now().replace(hour=23))
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock)
    kestrel.wait()
    evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    kestrel.wait(days=1)
    evaluate(promotion.pk, by=kestrel["operator"], clock=kestrel.clock)
    *_, frozen, open_again = records_of(promotion)
    assert (frozen.sequence, open_again.sequence) == (4, 5)
    assert packets_of(promotion)[1]["content"]["records"] == as_listed(frozen, open_again)


def test_packets_of_deployments_hold_the_record_that_the_start_check_used(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.deploys(promotion)
    kestrel.reports(promotion, "rolled_back", message="It was slow")
    *_, record = records_of(promotion)
    _, *reports = packets_of(promotion)
    assert [packet["type"] for packet in reports] == ["deployment", "rollback"]
    for packet in reports:
        content = packet["content"]
        assert content["decision"] == {"recordId": str(record.pk), "sequence": record.sequence}
        assert content["recordDigest"] == digest_bytes(bytes(record.document))
        assert content["inputDigest"] == digest_bytes(bytes(record.input))
        assert content["records"] == []


def test_a_record_of_a_start_that_was_refused_is_in_the_next_packet(kestrel: Kestrel) -> None:
    promotion = kestrel.approved_for_production()
    kestrel.reports(promotion, "started")
    kestrel.reports(promotion, "failed", message="No disk")
    now = kestrel.clock.now()
    kestrel.wait()
    end = rfc3339(kestrel.clock.now().replace(hour=23))
    make_freeze(kestrel["admin"], kestrel.production, rfc3339(now), end, clock=kestrel.clock)
    with pytest.raises(Exception, match="Frozen until"):
        kestrel.reports(promotion, "started")
    *_, used, refused = records_of(promotion)
    kestrel.reports(promotion, "rolled_back", message="Give up")
    content = packets_of(promotion)[-1]["content"]
    assert content["recordDigest"] == digest_bytes(bytes(used.document))
    assert content["records"] == as_listed(refused)


def test_every_packet_says_which_commit_of_whom_was_decided_on(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production(display_name="Autumn", source_ref={**SOURCE, "authors": ["builder"]})
    kestrel.approves("approver", promotion, comment="The load test is fine")
    kestrel.approves("second", promotion)
    kestrel.deploys(promotion)
    builder = str(kestrel["builder"].account)
    decided, deployed = packets_of(promotion)
    for packet in (decided, deployed):
        release = packet["content"]["release"]
        assert release["displayName"] == "Autumn"
        assert release["createdBy"] == {"id": builder, "username": "builder", "displayName": "Builder"}
        assert release["sourceRef"] == {**SOURCE, "authors": [builder]}
        approvers = packet["content"]["actors"]["approvers"]
        assert [(each["username"], each["comment"]) for each in approvers] == [
            ("approver", "The load test is fine"),
            ("second", None),
        ]
        assert approvers[0]["teams"] == ["release"]


def test_a_release_that_says_nothing_of_its_source_has_nulls(kestrel: Kestrel) -> None:
    [packet] = packets_of(kestrel.approved_for_production())
    release = packet["content"]["release"]
    assert (release["displayName"], release["sourceRef"]) == (None, None)


def test_the_reason_of_a_reject_is_its_comment(kestrel: Kestrel) -> None:
    promotion = kestrel.rejects("second", kestrel.waits_for_production(), "Not in this week")
    [packet] = packets_of(promotion)
    assert [each["comment"] for each in packet["content"]["actors"]["approvers"]] == ["Not in this week"]


def test_authors_are_accounts_or_external_and_never_an_address(kestrel: Kestrel) -> None:
    User.objects.filter(username="third").update(email="third.person@example.org")
    third, builder = (str(kestrel[who].account) for who in ("third", "builder"))
    authors = [
        " Builder ",
        "Third Person <Third.Person@example.org>",
        "third",
        "external:Dana Fox <dana@elsewhere.example>",
        "erin@elsewhere.example",
        "Francis <francis@elsewhere.example>",
        "<gail@elsewhere.example>",
        "@",
    ]
    promotion = kestrel.waits_for_production(source_ref={**SOURCE, "authors": authors})
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    [packet] = packets_of(promotion)
    assert packet["content"]["release"]["sourceRef"]["authors"] == [
        builder,
        third,
        "external:Dana Fox",
        "external:erin",
        "external:Francis",
        "external:gail",
        "external:unknown",
    ]


def test_people_of_other_tenants_are_nobody_here(kestrel: Kestrel) -> None:
    make_kestrel("merlin", prefix="merlin-")
    promotion = kestrel.waits_for_production(source_ref={**SOURCE, "authors": ["merlin-builder"]})
    kestrel.approves("approver", promotion)
    kestrel.approves("second", promotion)
    [packet] = packets_of(promotion)
    assert packet["content"]["release"]["sourceRef"]["authors"] == ["external:merlin-builder"]


@pytest.mark.parametrize("authors", [None, {}, "builder", [], [1, None]])
def test_a_source_of_another_form_never_stands_in_the_way(kestrel: Kestrel, authors: Any) -> None:
    release = kestrel.release(source_ref={"commitSha": "c0ffee00", "authors": authors})
    promotion = kestrel.ask(release, kestrel.dev)
    [packet] = packets_of(promotion)
    assert packet["content"]["release"]["sourceRef"]["commitSha"] == "c0ffee00"


def test_no_address_of_any_kind_is_signed(kestrel: Kestrel) -> None:
    """Everybody has an e-mail address, and everybody votes from somewhere."""
    for user in User.objects.all():
        User.objects.filter(pk=user.pk).update(email=f"{user.username}@kestrel.example")
    authors = ["Builder <builder@kestrel.example>", "external:dana@kestrel.example"]
    promotion = kestrel.waits_for_production(
        source_ref={**SOURCE, "authors": authors},
        components=[ComponentSpec("app", "registry.example/app", "sha256:" + "a" * 64)],
    )
    kestrel.approves("approver", promotion, comment="Fine")
    kestrel.approves("second", promotion)
    kestrel.deploys(promotion)
    kestrel.reports(promotion, "rolled_back", message="It was slow")
    assert set(Vote.objects.values_list("address", flat=True)) == {"192.0.2.1"}
    rows = EvidencePacket.objects.filter(promotion=promotion)
    assert rows.count() == 3
    for row in rows:
        for signed in (bytes(row.document), base64.b64decode(orjson.loads(bytes(row.envelope))["payload"])):
            assert b"Fine" in signed
            assert not re.search(rb"@\w+\.", signed)
            assert b"192.0.2.1" not in signed
