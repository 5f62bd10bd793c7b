"""Which approval policies guard an environment for a product (domain.md §1b)."""

from typing import Any

import pytest

from environments.actions.create_environment import create_environment
from environments.actions.update_environment import update_environment
from environments.models import Environment, EnvironmentApprovalPolicy
from environments.presenters import environment_document
from environments.product_guards import guarding
from environments.weakening import PolicyTexts, in_environment
from policies.documents import approval_policy
from policies.models import Proposal
from stellapromote.errors import Invalid
from tests.environments.test_weakening import PRODUCTION
from tests.environments.world import make_approval_policy, make_environment, make_tenant
from tests.factories import make_product

ENTRY = "productApprovalPolicies"
EVERY, LEDGER, CARDS = ("every", ()), ("audit", ("ledger",)), ("pci", ("cards", "ledger"))


@pytest.mark.parametrize(
    ("entries", "others", "product", "held"),
    [
        ([], "refuse", "ledger", []),  # nothing names a product
        ([EVERY], "refuse", "ledger", ["every"]),
        ([EVERY, LEDGER], "refuse", "ledger", ["every", "audit"]),
        ([EVERY, LEDGER, CARDS], "refuse", "cards", ["every", "pci"]),
        ([EVERY, LEDGER], "refuse", "cards", None),
        ([EVERY, LEDGER], "refuse", None, None),
        ([EVERY, LEDGER], "allow", "cards", ["every"]),
        ([LEDGER], "allow", None, []),
    ],
)
def test_those_for_every_product_and_those_that_name_it(entries: Any, others: str, product: str, held: Any) -> None:
    assert guarding(entries, others, product) == held


RULE = [{"name": "release", "minApprovals": 1, "teams": ["release"]}]
SAYS = PolicyTexts(
    approval={name: approval_policy({"name": name, "rules": RULE}).content for name in ("every", "audit")},
    promotion={},
)


def entry(name: str, *products: str) -> dict[str, Any]:
    return {"name": name, "products": [*products]}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (([], [entry("audit", "ledger")], "refuse"), ([], [entry("audit", "cards", "ledger")], "refuse"), "open cards"),
        (([], [entry("audit", "ledger")], "refuse"), ([], [entry("audit", "ledger")], "allow"), "open others"),
        (([], [entry("audit", "ledger")], "refuse"), ([], [], "refuse"), "lost and open"),
        ((["audit"], [], "allow"), ([], [entry("audit", "ledger")], "allow"), "lost for others"),
        ((["audit"], [], "allow"), ([], [entry("audit", "ledger")], "refuse"), None),
        (([], [entry("audit", "ledger")], "allow"), (["audit"], [], "allow"), None),
        (([], [entry("audit", "cards", "ledger")], "refuse"), ([], [entry("audit", "ledger")], "refuse"), None),
        # Another policy that asks as much, for one of them alone.
        (([], [entry("audit", "ledger")], "allow"), ([], [entry("every", "ledger")], "allow"), None),
        ((["audit"], [], "allow"), ([], [entry("every", "ledger")], "allow"), "lost for others"),
    ],
)
def test_what_is_asked_of_fewer_products_weakens(before: Any, after: Any, said: str | None) -> None:
    names = ("approvalPolicies", "productApprovalPolicies", "otherProducts")
    old, new = ({**PRODUCTION, **dict(zip(names, each, strict=True))} for each in (before, after))
    sentences = {
        None: [],
        "open cards": ["Releases of product cards may enter it."],
        "open others": ["Releases of other products may enter it."],
        "lost and open": [
            "Approval policy audit does not apply to product ledger any more.",
            "Releases of other products may enter it.",
        ],
        "lost for others": ["Approval policy audit does not apply to other products any more."],
    }
    assert in_environment(old, new, SAYS) == [f"Environment production: {each}" for each in sentences[said]]


@pytest.mark.django_db
class TestEdit:
    @pytest.fixture
    def prod(self, greta: Any, nia: Any, tenant: Any) -> Environment:
        for name in ("every", "audit"):
            make_approval_policy(greta, name)
        for slug in ("cards", "ledger"):
            make_product(tenant, slug)
        return make_environment(greta, "prod", 1)

    def change(self, greta: Any, clock: Any, prod: Environment, **changes: Any) -> dict[str, Any]:
        edited = update_environment(by=greta, clock=clock, environment_id=prod.pk, changes=changes)
        assert not isinstance(edited, Proposal)
        return environment_document(Environment.objects.with_settings().get(pk=prod.pk))

    def test_products_are_stored_with_the_policy(self, greta: Any, clock: Any, prod: Environment) -> None:
        entries = [entry("every", "cards"), entry("audit", "ledger", "cards")]
        stored = self.change(greta, clock, prod, product_approval_policies=entries)
        assert stored["productApprovalPolicies"] == [entry("audit", "cards", "ledger"), entry("every", "cards")]
        assert (stored["approvalPolicies"], stored["otherProducts"]) == (
            [],
            "refuse" if prod.is_production else "allow",
        )
        link = EnvironmentApprovalPolicy.objects.get(policy__name="every")
        stored = self.change(greta, clock, prod, product_approval_policies=[entry("every", "ledger", "cards")])
        assert stored["productApprovalPolicies"] == [entry("every", "cards", "ledger")]
        assert EnvironmentApprovalPolicy.objects.get().pk == link.pk

    def test_production_refuses_other_products_unless_it_is_said(
        self, greta: Any, clock: Any, prod: Environment
    ) -> None:
        options = {
            "by": greta,
            "clock": clock,
            "display_name": "x",
            "product_approval_policies": [entry("audit", "ledger")],
        }
        made = create_environment(name="live", order_index=5, is_production=True, **options)
        said = create_environment(name="live2", order_index=6, is_production=True, other_products="allow", **options)
        other = create_environment(name="test", order_index=7, **options)
        assert [each.other_products for each in (made, said, other)] == ["refuse", "allow", "allow"]

    @pytest.mark.parametrize(
        ("changes", "place"),
        [
            (
                {"product_approval_policies": [entry("audit", "ledger", "loans")]},
                "productApprovalPolicies[0].products[1]",
            ),
            ({"product_approval_policies": [entry("nothing", "ledger")]}, "productApprovalPolicies[0].name"),
            ({"product_approval_policies": [entry("audit")]}, "productApprovalPolicies[0].products"),
            (
                {"product_approval_policies": [entry("audit", "ledger"), entry("audit", "cards")]},
                "productApprovalPolicies[1].name",
            ),
            (
                {"approval_policies": ["audit"], "product_approval_policies": [entry("audit", "cards")]},
                "productApprovalPolicies[0].name",
            ),
            ({"other_products": "perhaps"}, "otherProducts"),
        ],
    )
    def test_what_cannot_be_is_refused_with_its_place(
        self, greta: Any, clock: Any, prod: Environment, tenant: Any, changes: Any, place: str
    ) -> None:
        make_product(make_tenant("other"), "loans")
        with pytest.raises(Invalid) as refusal:
            self.change(greta, clock, prod, **changes)
        assert [each.field for each in refusal.value.fields] == [place]
        assert not EnvironmentApprovalPolicy.objects.exists()
