"""Which environments the releases of a product pass (domain.md §1b)."""

from typing import Any
from uuid import UUID

import pytest

from environments.actions.archive_environment import archive_environment
from environments.actions.create_environment import create_environment
from environments.actions.delete_environment import delete_environment
from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentEdit, RetiredName
from environments.paths import along, check_path, required
from environments.weakening import in_paths
from policies.models import Proposal, WeakeningEdit
from stellapromote.accounts.models import Product
from stellapromote.audit.models import AuditEvent
from stellapromote.errors import Invalid
from tests.environments.world import make_environment, make_tenant
from tests.factories import make_product
from tests.proposals import confirmed


def env(name: str, place: int | None, *, said: bool | None = None, production: bool = False) -> Environment:
    return Environment(name=name, order_index=place, is_production=production, required_on_every_path=said)


ORDER = [env("dev", 1), env("qa", 3), env("staging", 5), env("prod", 7, production=True), env("old", None)]


def names(environments: Any) -> list[str]:
    return [each.name for each in environments]


@pytest.mark.parametrize(
    ("environments", "expected"),
    [
        (ORDER, ["staging"]),
        (ORDER[::-1], ["staging"]),
        ([env("dev", 1)], []),
        ([env("prod", 1, production=True)], []),
        # Each production one has its own, which may be production too.
        ([env("dev", 1), env("eu", 2, production=True), env("us", 3, production=True)], ["dev", "eu"]),
        ([env("dev", 1, said=True), env("staging", 2, said=False), env("prod", 3, production=True)], ["dev"]),
        # An archived one stands nowhere.
        ([env("dev", 1), env("prod", None, production=True, said=True)], []),
    ],
)
def test_the_one_directly_before_production_is_required_unless_it_is_said(environments: Any, expected: Any) -> None:
    ids = required(environments)
    assert [each.name for each in environments if each.pk in ids] == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (None, ["dev", "qa", "staging", "prod"]),
        (["dev", "prod"], ["dev", "staging", "prod"]),
        (["qa", "old"], ["qa", "staging"]),
        (["prod", "gone", "dev"], ["dev", "staging", "prod"]),
    ],
)
def test_a_path_has_what_it_names_and_what_is_required_in_promotion_order(path: Any, expected: Any) -> None:
    assert names(along(ORDER[::-1], path)) == expected


@pytest.mark.parametrize(
    ("path", "places"),
    [
        (["dev", "staging", "prod"], {}),
        (["staging"], {}),
        (["dev", "nowhere", "staging"], {"path[1]": "There is no environment nowhere: correct the name."}),
        (["staging", "old"], {"path[1]": "Environment old is archived: leave it out."}),
        (["dev", "staging", "dev"], {"path[2]": "Environment dev is named twice: name it once."}),
        (
            ["dev", "prod", "staging"],
            {"path[2]": "staging stands before prod in the promotion order: name it before prod."},
        ),
        (["dev", "prod"], {"path": "staging must be on every path: add it."}),
        (
            ["nowhere"],
            {
                "path[0]": "There is no environment nowhere: correct the name.",
                "path": "staging must be on every path: add it.",
            },
        ),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_its_place(path: Any, places: dict[str, str]) -> None:
    if not places:
        check_path(path, ORDER)
        return
    with pytest.raises(Invalid) as refusal:
        check_path(path, ORDER)
    assert {each.field: each.message for each in refusal.value.fields} == places


IDS = {name: UUID(int=number) for number, name in enumerate(("dev", "qa", "staging", "prod"))}


def places(*on_path: str) -> dict[UUID, int]:
    return {IDS[name]: place for place, name in enumerate(on_path)}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("dev qa prod", "dev prod", {"prod": "releases of product x need not pass qa before it any more."}),
        ("dev qa staging prod", "prod", {"prod": "releases of product x need not pass dev or qa or staging before it"}),
        ("dev qa", "dev prod", {"prod": "releases of product x may enter it, after dev."}),
        ("dev", "prod", {"prod": "releases of product x may enter it, as the first."}),
        (
            "dev qa prod",
            "qa prod",
            {
                "qa": "releases of product x need not pass dev before it any more.",
                "prod": "releases of product x need not pass dev before it any more.",
            },
        ),
        ("dev prod", "dev qa prod", {"qa": "releases of product x may enter it, after dev."}),
        ("dev qa prod", "dev qa", {}),
        ("dev qa prod", "dev qa prod", {}),
    ],
)
def test_fewer_steps_and_another_environment_weaken(before: str, after: str, said: dict[str, str]) -> None:
    found = in_paths({"x": places(*before.split())}, {"x": places(*after.split())}, {i: n for n, i in IDS.items()})
    assert {environment for environment, _ in found} == {IDS[name] for name in said}
    for environment, sentence in found:
        [name] = [name for name, pk in IDS.items() if pk == environment]
        assert sentence.startswith(f"Environment {name}: {said[name]}")


def test_products_of_which_the_same_is_said_stand_in_one_sentence() -> None:
    old = {slug: places("dev", "qa", "prod") for slug in ("a", "b", "c")}
    new = {"a": places("dev", "prod"), "b": places("qa", "prod"), "c": places("dev", "prod")}
    sentences = [sentence for _, sentence in in_paths(old, new, {i: n for n, i in IDS.items()})]
    wanted = "Environment prod: releases of product a and product c need not pass qa before it any more."
    assert wanted in sentences


@pytest.mark.django_db
class TestEdit:
    @pytest.fixture
    def order(self, greta: Any, nia: Any, tenant: Any) -> dict[str, Environment]:
        found = {
            name: make_environment(greta, name, place)
            for place, name in ((1, "dev"), (3, "qa"), (5, "staging"), (7, "production"))
        }
        production = found["production"]
        Environment.objects.filter(pk=production.pk).update(protected=True, was_protected=True)
        make_product(tenant, "ledger", path=["dev", "production"])
        make_product(make_tenant("other"), "cards", path=["production"])
        return found

    def change(self, greta: Any, clock: Any, environment: Environment, **changes: Any) -> Any:
        return update_environment(by=greta, clock=clock, environment_id=environment.pk, changes=changes)

    def test_what_is_not_required_any_more_waits_where_a_product_would_pass_it_no_more(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        proposal = self.change(greta, clock, order["staging"], required_on_every_path=False)
        assert isinstance(proposal, Proposal)
        assert (proposal.guards, proposal.weakens) == (
            ["production"],
            ["Environment production: releases of product ledger need not pass staging before it any more."],
        )
        order["staging"].refresh_from_db()
        assert order["staging"].required_on_every_path is None

    def test_and_is_in_force_at_once_where_every_product_passes_it(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        Product.objects.filter(slug="ledger").update(path=["dev", "staging", "production"])
        assert not isinstance(self.change(greta, clock, order["staging"], required_on_every_path=False), Proposal)
        assert not WeakeningEdit.objects.exists()

    def test_an_archived_product_is_not_asked(self, greta: Any, clock: Any, order: dict[str, Environment]) -> None:
        Product.objects.filter(slug="ledger").update(archived_at=clock.now())
        assert not isinstance(self.change(greta, clock, order["staging"], required_on_every_path=False), Proposal)

    def test_what_is_required_is_so_at_once_and_its_editor_edits_what_follows(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        edits = set(EnvironmentEdit.objects.values_list("pk", flat=True))
        assert not isinstance(self.change(greta, clock, order["qa"], required_on_every_path=True), Proposal)
        new = EnvironmentEdit.objects.exclude(pk__in=edits)
        edited = {order["qa"].pk, order["staging"].pk, order["production"].pk}
        assert set(new.values_list("environment_id", "product")) == {(each, "") for each in edited}

    def test_production_that_is_none_any_more_requires_nothing_before_it(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        proposal = self.change(greta, clock, order["production"], is_production=False)
        wanted = "Environment production: releases of product ledger need not pass staging before it any more."
        assert wanted in proposal.weakens

    def test_another_one_between_keeps_what_was_required(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        made = create_environment(by=greta, clock=clock, name="uat", display_name="UAT", order_index=6)
        for each in order.values():
            each.refresh_from_db()
        assert (made.required_on_every_path, order["staging"].required_on_every_path) == (None, True)
        [event] = AuditEvent.objects.filter(action="environment.created", resource_id=str(made.pk))
        assert event.metadata["requiredOnEveryPath"] == ["staging"]
        passed = along(Environment.objects.of(greta.tenant), ["dev", "production"])
        assert names(passed) == ["dev", "staging", "uat", "production"]

    def test_and_moves_it_where_no_product_has_a_path(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        Product.objects.update(path=None)
        create_environment(by=greta, clock=clock, name="uat", display_name="UAT", order_index=6)
        order["staging"].refresh_from_db()
        assert (order["staging"].required_on_every_path, order["staging"].version) == (None, 1)

    def test_a_path_follows_another_order(self, greta: Any, clock: Any, order: dict[str, Environment]) -> None:
        Product.objects.filter(slug="ledger").update(path=["dev", "qa", "staging"])
        confirmed(self.change(greta, clock, order["qa"], order_index=0), clock)
        assert names(along(Environment.objects.of(greta.tenant), ["dev", "qa", "staging"])) == ["qa", "dev", "staging"]

    def test_another_order_says_each_step_once(self, greta: Any, clock: Any, order: dict[str, Environment]) -> None:
        proposal = self.change(greta, clock, order["staging"], order_index=8)
        assert proposal.weakens == sorted(set(proposal.weakens))
        assert "Environment production: releases need not pass staging before it any more." in proposal.weakens
        # qa stands directly before production now.
        of_products = [each for each in proposal.weakens if "of product" in each]
        assert of_products == ["Environment qa: releases of product ledger may enter it, after dev."]

    def test_an_archived_one_is_named_once_too(self, greta: Any, clock: Any, order: dict[str, Environment]) -> None:
        Environment.objects.update(protected=False)
        archive_environment(by=greta, clock=clock, environment_id=order["staging"].pk, active_promotions=0)
        said = set(WeakeningEdit.objects.values_list("what", flat=True))
        assert said == {
            "Environment production: releases need not pass staging before it any more.",
            "Environment qa: releases of product ledger may enter it, after dev.",
        }

    def test_the_name_of_one_on_a_path_is_not_used_again(
        self, greta: Any, clock: Any, order: dict[str, Environment]
    ) -> None:
        Environment.objects.update(protected=False, was_protected=False)
        for name in ("qa", "dev"):
            delete_environment(by=greta, clock=clock, environment_id=order[name].pk, promotions=0)
        assert list(RetiredName.objects.values_list("name", flat=True)) == ["dev"]

    def test_nor_is_that_of_an_archived_one(self, greta: Any, clock: Any, order: dict[str, Environment]) -> None:
        """A new one of its name would be on the path at once."""
        Environment.objects.update(protected=False, was_protected=False)
        for name in ("qa", "dev"):
            archive_environment(by=greta, clock=clock, environment_id=order[name].pk, active_promotions=0)
            delete_environment(by=greta, clock=clock, environment_id=order[name].pk, promotions=0)
        assert list(RetiredName.objects.values_list("name", flat=True)) == ["dev"]
