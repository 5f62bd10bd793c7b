"""Each rule that stands as a QuerySet and as SQL says the same of any rows; where it stands: here alone."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from promotions.fastpath.rows import promotions_with
from promotions.judging.concerned_promotions import read_other_deployments
from promotions.judging.facts import FACTS, values_for_facts
from promotions.judging.locks import lock_promotion, lock_superseded
from promotions.judging.ordering import steps_into
from promotions.models import Promotion
from promotions.models.promotion_vocabulary import deployed_in_sql, running_sql
from promotions.reading.environment_state import current_releases
from promotions.reading.listing import WaitingForPerson
from promotions.reading.queries import awaiting_decision_by, places_of
from promotions.states import OPEN, VOTING, Status
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.fastpath.prepared import fetch
from tests.promotions.drawn import PRODUCTS, Drawn

ROOT = Path(__file__).parents[3]


def newest_deployed(promotions: list[Promotion], **fields: Any) -> Promotion | None:
    """The rule in Python, in the words of domain.md: the newest deployed one that was not rolled back."""
    deployed = [
        each
        for each in promotions
        if each.status == Status.DEPLOYED and all(getattr(each, name) == value for name, value in fields.items())
    ]
    return max(deployed, key=lambda each: (each.completed_at, each.number), default=None)  # type: ignore[return-value, arg-type]


class TestWhatRuns:
    def test_every_form_says_the_same_of_each_product_in_each_environment(self, drawn: Drawn) -> None:
        tenant, ids = drawn.world.tenant.pk, [each.pk for each in drawn.environments]
        states = current_releases(tenant, ids)
        running = running_sql("d.id", environment="%(environment)s", product="%(product)s")
        release = {each.product: each for each in drawn.releases}
        runs_somewhere = False
        for environment, name in product(ids, PRODUCTS):
            expected = newest_deployed(drawn.promotions, target_environment_id=environment, product=name)
            assert Promotion.objects.running_in(environment, name).first() == expected
            found = fetch(running, {"environment": environment, "product": name})
            assert found == ([] if expected is None else [(expected.pk,)])
            told = [each["promotionId"] for each in states[environment] if each["product"] == name]
            assert told == [str(pk) for (pk,) in found]
            runs = steps_into(tenant, environment, release[name].pk)[0].runs  # type: ignore[attr-defined]
            assert runs == (None if expected is None else expected.release_id)
            runs_somewhere |= expected is not None
        assert runs_somewhere

    def test_of_several_products_the_one_deployed_last_comes_first(self, drawn: Drawn) -> None:
        ids = [each.pk for each in drawn.environments]
        by_id = {str(each.pk): each for each in drawn.promotions}
        for states in current_releases(drawn.world.tenant.pk, ids).values():
            order = [by_id[each["promotionId"]] for each in states]
            assert order == sorted(order, key=lambda each: (each.completed_at, each.number), reverse=True)

    def test_the_facts_of_a_promotion_say_the_same(self, drawn: Drawn) -> None:
        ids = [each.pk for each in drawn.promotions]
        for promotion, [facts] in promotions_with(FACTS + "::json", ids, values_for_facts(None, None)):
            target, source = promotion.target_environment_id, promotion.source_environment_id
            running = Promotion.objects.running_in(target, promotion.product).first()
            assert facts["current"] == (None if running is None else str(running.release_id))
            deployed = Promotion.objects.deployed_in(source).filter(release=promotion.release_id)
            assert facts["sourceDeployed"] == deployed.exists()

    def test_of_one_release_it_is_the_newest_deployment_of_it(self, drawn: Drawn) -> None:
        text = running_sql("d.id", environment="%(environment)s", product="%(product)s", release="%(release)s")
        for release, environment in product(drawn.releases, drawn.environments):
            values = {"environment": environment.pk, "product": release.product, "release": release.pk}
            expected = newest_deployed(drawn.promotions, target_environment_id=environment.pk, release_id=release.pk)
            assert fetch(text, values) == ([] if expected is None else [(expected.pk,)])
            there = f"SELECT 1 FROM promotions_promotion d WHERE {deployed_in_sql('%s')} AND d.release_id = %s LIMIT 1"
            assert bool(fetch(there, [environment.pk, release.pk])) == (expected is not None)
            places = {each.target_environment_id: each for each in places_of(release)}
            assert places.get(environment.pk) == expected
            if expected is not None:
                running = Promotion.objects.running_in(environment.pk, release.product).first()
                assert running is not None
                assert places[environment.pk].running == running.pk  # type: ignore[attr-defined]

    def test_beside_a_promotion_it_is_the_newest_of_the_others(self, drawn: Drawn) -> None:
        for promotion in drawn.promotions:
            others = [each for each in drawn.promotions if each != promotion]
            where = {"target_environment_id": promotion.target_environment_id, "product": promotion.product}
            expected = newest_deployed(others, **where)
            also = newest_deployed(others, **where, release_id=promotion.release_id)
            [beside] = read_other_deployments(promotion)
            assert beside == (expected and expected.release_id, also is not None)

    @pytest.mark.parametrize(
        "part", ["completed_at DESC", '"-completed_at"', "status = 'deployed'", "status=Status.DEPLOYED"]
    )
    def test_the_rule_is_written_in_one_module(self, part: str) -> None:
        """And in the index of the model."""
        found = {
            path.name
            for path in (ROOT / "promotions").rglob("*.py")
            if "migrations" not in path.parts and part in path.read_text()
        }
        assert found - {"promotion.py"} == {"promotion_vocabulary.py"}


class TestWhatWaitsForSomebody:
    def test_every_form_says_the_same_to_each(self, drawn: Drawn) -> None:
        tenant = drawn.world.tenant.pk
        found = []
        for caller in drawn.world.people.values():
            person = caller.user.pk
            expected = sorted(
                each.number for each in drawn.promotions if each.status in VOTING and person in each.open_voters
            )
            assert sorted(each.number for each in Promotion.objects.waiting_for(person)) == expected
            listed = WaitingForPerson(tenant, person)
            assert ([row[1] for row in listed.after(None, 1000)], listed.count()) == (expected, len(expected))
            found.append(expected)
        assert any(found)
        assert [] in found

    def test_the_inbox_the_board_and_the_api_tell_only_those_who_may_decide(self, drawn: Drawn) -> None:
        world = drawn.world
        for name, may in {"nia": True, "tomas": False, "ci": False}.items():
            caller = world.people[name]
            actor = caller.actor
            waiting = {each.pk for each in Promotion.objects.waiting_for(caller.user.pk)} if may else set()
            assert {each.pk for each in Promotion.objects.awaiting_decision_by(actor)} == waiting
            assert [each.pk in waiting for each in drawn.promotions] == [
                each.awaits_decision_by(actor) for each in drawn.promotions
            ]
            assert [each.number for each in awaiting_decision_by(actor)] == sorted(
                each.number for each in drawn.promotions if each.pk in waiting
            )
            told = caller.get("promotions/pending-approvals?pageSize=200")["data"]
            assert {each["id"] for each in told} == {str(pk) for pk in waiting}

    def test_somebody_whose_right_has_just_ended_is_drawn(self, drawn: Drawn) -> None:
        assert Promotion.objects.waiting_for(drawn.world.tomas.user.pk).exists()


class TestWhatIsSuperseded:
    def test_every_form_says_the_same_of_each_promotion(self, drawn: Drawn) -> None:
        tenant = drawn.world.tenant.pk
        some = False
        for promotion in drawn.promotions:
            goes_on = promotion.supersedes_older and not promotion.is_rollback
            expected = {
                each.pk
                for each in drawn.promotions
                if goes_on
                and each.status in OPEN
                and not each.is_rollback
                and each.number < promotion.number
                and (each.target_environment_id, each.product) == (promotion.target_environment_id, promotion.product)
            }
            some |= bool(expected)
            assert promotion.supersedes is goes_on
            assert {each.pk for each in Promotion.objects.superseded_by(promotion)} == expected
            with transaction.atomic():
                _, locked, _ = lock_promotion(promotion.pk, tenant, DATABASE_CLOCK)
                assert {each.pk for each in locked} == expected
                assert [each.pk for each in lock_superseded(promotion)] == sorted(expected)
        assert some
