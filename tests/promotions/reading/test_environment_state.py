from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from environments.models import Environment
from promotions.models import Promotion
from promotions.reading.environment_state import (
    active_promotions,
    current_releases,
    deployments_into,
    environment_states,
    recorded_promotions,
)
from promotions.reading.queries import deployments_of
from stellapromote.accounts.actor import Actor
from stellapromote.clock import FixedClock
from tests.factories import actor_of, make_environment, make_freeze, make_person, make_ready_tenant
from tests.promotions.deployments import deploy, release, request, roll_back

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


@pytest.fixture
def clock():
    return FixedClock(NOW)


@pytest.fixture
def tenant():
    return make_ready_tenant("kestrel-pay", clock=FixedClock(NOW - timedelta(days=30)))


def actor(tenant, username: str, *roles: str) -> Actor:
    return actor_of(make_person(tenant, username, roles=roles, clock=FixedClock(NOW - timedelta(days=30))), tenant)


@pytest.fixture
def greta(tenant):
    return actor(tenant, "greta", "admin")


@pytest.fixture
def tomas(tenant):
    return actor(tenant, "tomas", "operator")


@pytest.fixture
def dev(greta, clock) -> Environment:
    return make_environment(greta, "dev", 1, clock=clock)


@pytest.fixture
def staging(greta, clock, dev) -> Environment:
    return make_environment(greta, "staging", 2, clock=clock)


def names(tenant, environment):
    return [each["name"] for each in current_releases(tenant.pk, [environment.pk])[environment.pk]]


def test_the_current_release_is_the_newest_deployed_one_of_each_product(tenant, tomas, dev, clock):
    for name, product in (("web-1", "web"), ("api-1", "api"), ("web-2", "web")):
        clock.advance(timedelta(minutes=1))
        deploy(tomas, release(tomas, name, product, clock=clock), dev, clock=clock)
    assert names(tenant, dev) == ["web-2", "api-1"]


def test_what_was_rolled_back_is_not_current(tenant, tomas, dev, clock):
    deploy(tomas, release(tomas, "one", clock=clock), dev, clock=clock)
    clock.advance(timedelta(minutes=1))
    second = deploy(tomas, release(tomas, "two", clock=clock), dev, clock=clock)
    roll_back(tomas, second, clock=clock)
    assert names(tenant, dev) == ["one"]


def test_of_two_that_finish_at_one_instant_every_answer_says_that_the_later_one_runs(tenant, tomas, dev, clock):
    first, second = release(tomas, "one", clock=clock), release(tomas, "two", clock=clock)
    for each in (first, second):
        deploy(tomas, each, dev, clock=clock)
    assert Promotion.objects.running_in(dev, "main").first().release == second
    assert names(tenant, dev) == ["two"]
    assert [[place["current"] for place in deployments_of(each)] for each in (first, second)] == [[False], [True]]


def test_what_only_waits_is_not_current_but_counts_as_open(tenant, tomas, greta, staging, dev, clock):
    one = release(tomas, "one", clock=clock)
    deploy(tomas, one, dev, clock=clock)
    make_freeze(greta, staging, "2026-11-23T07:00:00Z", "2026-11-23T20:00:00Z", clock=clock)
    request(tomas, one, staging, clock=clock)
    state = environment_states(tenant.pk, [dev.pk, staging.pk], clock.now())
    assert (state[staging.pk]["currentRelease"], state[staging.pk]["currentReleases"]) == (None, [])
    assert {pk: each["openPromotions"] for pk, each in state.items()} == {dev.pk: 0, staging.pk: 1}


def test_the_state_says_everything_about_what_runs(tenant, tomas, dev, clock):
    promotion = deploy(tomas, release(tomas, "one", clock=clock), dev, clock=clock)
    state = environment_states(tenant.pk, [dev.pk], clock.now())[dev.pk]
    assert (
        state["currentRelease"]
        == state["currentReleases"][0]
        == {
            "id": str(promotion.release_id),
            "name": "one",
            "product": "main",
            "manifestDigest": promotion.manifest_digest,
            "deployedAt": "2026-11-23T08:00:00.000Z",
            "promotionId": str(promotion.pk),
        }
    )


def test_the_newest_of_all_products_is_the_current_release(tenant, tomas, dev, clock):
    for name, product in (("zeta-1", "zeta"), ("alpha-1", "alpha")):
        clock.advance(timedelta(minutes=1))
        deploy(tomas, release(tomas, name, product, clock=clock), dev, clock=clock)
    state = environment_states(tenant.pk, [dev.pk], clock.now())[dev.pk]
    assert state["currentRelease"]["name"] == "alpha-1"
    assert [each["product"] for each in state["currentReleases"]] == ["alpha", "zeta"]


def test_a_freeze_of_the_tenant_is_in_the_state_of_every_environment(tenant, greta, dev, staging, clock):
    window = make_freeze(greta, None, "2026-11-23T07:00:00Z", "2026-11-23T20:00:00Z", clock=clock)
    states = environment_states(tenant.pk, [dev.pk, staging.pk], clock.now())
    assert {each["freeze"]["windowId"] for each in states.values()} == {str(window.pk)}


def test_the_state_takes_three_statements_however_many_environments_there_are(
    tenant, greta, tomas, dev, staging, clock
):
    def statements(ids):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            environment_states(tenant.pk, ids, clock.now())
        return len(captured)

    deploy(tomas, release(tomas, "one", clock=clock), dev, clock=clock)
    more = [make_environment(greta, f"e{n}", 10 + n, clock=clock).pk for n in range(5)]
    assert statements([dev.pk]) == statements([dev.pk, staging.pk, *more]) == 3


def test_another_tenants_deployments_are_not_seen(tenant, tomas, dev, clock):
    deploy(tomas, release(tomas, "one", clock=clock), dev, clock=clock)
    other = make_ready_tenant("other", clock=clock)
    assert environment_states(other.pk, [dev.pk], clock.now())[dev.pk]["currentRelease"] is None
    assert not deployments_into(other.pk, dev.pk).exists()
    assert recorded_promotions(other.pk, dev.pk) == 0


def test_history_has_what_was_started_rolled_back_ones_included(tenant, tomas, greta, dev, clock):
    deploy(tomas, release(tomas, "one", clock=clock), dev, clock=clock)
    roll_back(tomas, deploy(tomas, release(tomas, "two", clock=clock), dev, clock=clock), clock=clock)
    make_freeze(greta, dev, "2026-11-23T07:00:00Z", "2026-11-23T20:00:00Z", clock=clock)
    request(tomas, release(tomas, "three", clock=clock), dev, clock=clock)
    assert {each.release.name for each in deployments_into(tenant.pk, dev.pk)} == {"one", "two"}


def test_promotions_into_and_out_of_an_environment_count(tenant, tomas, greta, dev, staging, clock):
    one = release(tomas, "one", clock=clock)
    deploy(tomas, one, dev, clock=clock)
    make_freeze(greta, staging, "2026-11-23T07:00:00Z", "2026-11-23T20:00:00Z", clock=clock)
    request(tomas, one, staging, clock=clock)
    # dev: one deployed into it, one open out of it; staging: one open into it.
    assert [recorded_promotions(tenant.pk, each.pk) for each in (dev, staging)] == [2, 1]
    assert [active_promotions(tenant.pk, each.pk) for each in (dev, staging)] == [1, 1]
