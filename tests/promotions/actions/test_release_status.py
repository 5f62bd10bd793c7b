"""A status of a release that was changed with the database's own login: no request passes by it, and a verification
finds it."""

import orjson
import pytest

from promotions.actions.releases import archive_release, deprecate_release
from promotions.actions.request_promotion import (
    PromotionRequest,
    ReleaseDeprecated,
    ReleaseStatusMismatch,
    preview_promotion,
)
from promotions.models import DecisionRecord, Promotion, Release
from promotions.worker.verifier import Verifier
from tests.database import CommittedDatabase
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.promotions.verification.app import App
from tests.promotions.verification.story import found_in


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    return make_kestrel()


@pytest.fixture
def app(committed_db: CommittedDatabase) -> App:
    return App(committed_db)


FINALIZED_AGAIN = "UPDATE promotions_release SET status = 'finalized', status_reason = '' WHERE id = %s"


def deprecate(kestrel: Kestrel, release: Release) -> None:
    kestrel.wait()
    deprecate_release(release.pk, by=kestrel["operator"], reason="It leaks", clock=kestrel.clock)


def test_a_deprecated_release_whose_row_says_finalized_is_not_requested(kestrel: Kestrel, app: App) -> None:
    release = kestrel.release()
    deprecate(kestrel, release)
    with pytest.raises(ReleaseDeprecated):
        kestrel.ask(release, kestrel.dev)
    app.run(FINALIZED_AGAIN, [release.pk])
    with pytest.raises(ReleaseStatusMismatch, match="finalized, and the audit log tells that it is deprecated"):
        kestrel.ask(release, kestrel.dev)
    request = PromotionRequest(release.pk, kestrel.dev.pk, "Now")
    with pytest.raises(ReleaseStatusMismatch):
        preview_promotion(request, by=kestrel["operator"], clock=kestrel.clock)
    assert not Promotion.objects.exists()


def test_an_archived_release_whose_row_says_finalized_is_not_requested(kestrel: Kestrel, app: App) -> None:
    release = kestrel.release()
    deprecate(kestrel, release)
    archive_release(release.pk, by=kestrel["operator"], clock=kestrel.clock)
    app.run(FINALIZED_AGAIN, [release.pk])
    with pytest.raises(ReleaseStatusMismatch, match="tells that it is archived"):
        kestrel.ask(release, kestrel.dev)


def test_a_status_that_the_product_gave_is_no_finding(kestrel: Kestrel, app: App) -> None:
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    deprecate(kestrel, release)
    assert found_in(kestrel) == []
    app.run("UPDATE promotions_release SET status_reason = 'It is old' WHERE id = %s", [release.pk])
    assert found_in(kestrel) == [(1, "RELEASE_CHANGED", "release, status")]
    app.run(FINALIZED_AGAIN, [release.pk])
    assert found_in(kestrel) == [(1, "RELEASE_CHANGED", "release, status")]
    app.run(
        "UPDATE promotions_release SET status = 'deprecated', status_reason = 'It leaks' WHERE id = %s", [release.pk]
    )
    archive_release(release.pk, by=kestrel["operator"], clock=kestrel.clock)
    assert found_in(kestrel) == []


def test_an_open_promotion_of_the_release_waits_from_the_walk_that_finds_it(kestrel: Kestrel, app: App) -> None:
    promotion = kestrel.waits_for_production()
    deprecate(kestrel, promotion.release)
    app.run(FINALIZED_AGAIN, [promotion.release_id])
    while Verifier().verify_some(kestrel.clock):
        pass
    kestrel.approves("approver", promotion)
    promotion = kestrel.approves("second", promotion)
    record = DecisionRecord.objects.filter(promotion=promotion).latest("sequence")
    codes = orjson.loads(bytes(record.document))["gates"][0]["reasonCodes"]
    assert (promotion.status, codes) == ("pending", ["EVIDENCE_MISMATCH"])
