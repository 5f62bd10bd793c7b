"""What was changed for as long as a decision took, and put back, is found by what the input holds of it."""

import pytest

from environments.actions.update_environment import update_environment
from promotions.actions.releases import ComponentSpec
from promotions.actions.trust_key import trust_key
from promotions.models import Promotion, Release
from promotions.verification.documents import VerifiedDigests
from promotions.verification.walk import all_promotions
from tests.promotions.kestrel import Kestrel
from tests.promotions.tampering import Tampering
from tests.promotions.uploads import Signer, feed
from tests.promotions.verification.story import ARTIFACT, found_in

pytestmark = pytest.mark.slow

LISTED = "CVE-2019-14697"
DEPLOYED = ("status", "approved_at", "decided_at", "started_at", "completed_at", "evidence_packet_id", "attempt")
ENTRY = "promotions_feedentry"
NEWEST = "WHERE published_at = (SELECT max(published_at) FROM promotions_feed)"


@pytest.fixture
def kestrel(kestrel: Kestrel) -> Kestrel:
    """The feed lists what the report of the story names; some time has passed since."""
    kestrel.wait(hours=1)
    lists(kestrel, "2")
    kestrel.wait(hours=1)
    return kestrel


def lists(kestrel: Kestrel, version: str) -> None:
    entry = {"cveID": LISTED, "dateAdded": "2020-01-01"}
    released = kestrel.clock.now().isoformat()
    listed = {"catalogVersion": version, "dateReleased": released, "count": 1, "vulnerabilities": [entry]}
    feed(kestrel["admin"], "kev", listed, clock=kestrel.clock)


def asked(kestrel: Kestrel) -> Promotion:
    component = ComponentSpec("app", "registry.example/app", ARTIFACT)
    return kestrel.ask(kestrel.release(components=[component]), kestrel.dev)


def test_what_counts_is_in_order(kestrel: Kestrel) -> None:
    assert asked(kestrel).status == "pending"
    trust_key("late", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
    kestrel.wait()
    asked(kestrel)
    assert found_in(kestrel) == []


def test_a_walk_meets_feeds_and_keys_that_came_since_it_began(kestrel: Kestrel) -> None:
    fitting = VerifiedDigests()
    for number in range(2):
        assert [found for batch in all_promotions(kestrel.tenant.pk, fitting) for _, found in batch if found] == []
        trust_key(f"late-{number}", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
        lists(kestrel, f"3.{number}")
        kestrel.wait(hours=1)
        asked(kestrel)


CHANGES: list[tuple[str, str, str]] = [
    (f"UPDATE {ENTRY} SET cve = 'CVE-1999-0001'", f"UPDATE {ENTRY} SET cve = '{LISTED}'", "kev"),
    (f"UPDATE {ENTRY} SET listed_on = listed_on + 900", f"UPDATE {ENTRY} SET listed_on = listed_on - 900", "kev"),
    (f"UPDATE promotions_feed SET uploaded_at = uploaded_at - interval '9 h' {NEWEST}",
     f"UPDATE promotions_feed SET uploaded_at = uploaded_at + interval '9 h' {NEWEST}", "kev"),
    ("UPDATE promotions_feed SET tenant_id = gen_random_uuid()",
     "UPDATE promotions_feed SET tenant_id = (SELECT id FROM accounts_tenant)", "kev"),
    ("UPDATE promotions_trustedkey SET revoked_at = added_at, revoked_by_id = added_by_id",
     "UPDATE promotions_trustedkey SET revoked_at = NULL, revoked_by_id = NULL", "trustedKeys"),
    ("UPDATE promotions_trustedkey SET name = 'other'", "UPDATE promotions_trustedkey SET name = 'ci'", "trustedKeys"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "undo", "place"), CHANGES, ids=[each[0][:60] for each in CHANGES])
def test_what_was_put_back_is_found(kestrel: Kestrel, tamper: Tampering, change: str, undo: str, place: str) -> None:
    tamper.run(change)
    promotion = asked(kestrel)
    tamper.run(undo)
    found = found_in(kestrel)
    assert found == [(promotion.number, "INPUT_CHANGED", f"record 1, evidence.{place}")]


def test_a_release_that_ran_nowhere_for_longer_than_a_decision_is_found(kestrel: Kestrel, tamper: Tampering) -> None:
    """The row of another promotion said that it was deployed in dev, and says again that it was not."""
    release = kestrel.release()
    skipped = kestrel.ask(release, kestrel.dev)
    kestrel.wait(hours=1)
    before = Promotion.objects.filter(pk=skipped.pk).values(*DEPLOYED).get()
    other = Promotion.objects.filter(status="deployed").values(*DEPLOYED).first()
    for row in (other, before):
        values = ", ".join(f"{name} = %s" for name in DEPLOYED)
        tamper.run(f"UPDATE promotions_promotion SET {values} WHERE id = %s", [*row.values(), skipped.pk])
        if row is other:
            promotion = kestrel.ask(release, kestrel.staging)
            assert "NOT_DEPLOYED" not in str(promotion.gates)
    assert found_in(kestrel) == [(promotion.number, "INPUT_CHANGED", "record 1, source.deployed")]


def test_an_author_who_was_left_out_for_as_long_as_the_request_took_is_found(
    kestrel: Kestrel, tamper: Tampering
) -> None:
    """The release named another creator, so the one who made it could vote for it."""
    release = Promotion.objects.get(number=4).release
    in_staging = {"required_approvals": 1, "require_separation_of_duties": True}
    by = kestrel["admin"]
    update_environment(by=by, clock=kestrel.clock, environment_id=kestrel.staging.pk, changes=in_staging)
    change = "UPDATE promotions_release SET created_by_id = %s, contributors = '{}' WHERE id = %s"
    tamper.run(change, [kestrel["third"].account, release.pk])
    promotion = kestrel.ask(Release.objects.get(pk=release.pk), kestrel.staging)
    tamper.run(
        "UPDATE promotions_release SET created_by_id = %s, contributors = %s WHERE id = %s",
        [release.created_by_id, release.contributors, release.pk],
    )
    assert found_in(kestrel) == [(promotion.number, "PROMOTION_CHANGED", "request, excludedPersons")]
