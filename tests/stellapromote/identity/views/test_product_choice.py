"""The choice of products in each form that gives a right."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from stellapromote.accounts.models import ApiToken, Invitation, RoleGrant, ServiceAccount
from stellapromote.identity.product_choice import NamesField
from tests.factories import make_product
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    """In a tenant with the product wiki alone."""
    people = make_people()
    make_product(people.tenant, "wiki")
    return people


def posted(people: People, name: str, products: list[str]) -> int:
    address, fields = {
        "role": (f"/settings/members/{people.nia.pk}/roles", {"role": "operator", "reason": "On call"}),
        "invitation": ("/settings/invitations", {"username": "zed", "roles": ["operator"]}),
        "service": ("/settings/services", {"name": "ci", "owners": "tomas", "scopes": ["release:write"]}),
        "token": ("/settings/tokens", {"name": "ci", "scopes": ["release:write"], "expires_days": "3"}),
    }[name]
    who = "tomas" if name == "token" else "greta"
    return browser(who).post(address, {**fields, "products": products}).status_code


def limits(people: People) -> dict[str, list[Any]]:
    """The products of what was made, by form."""
    made = {
        "role": RoleGrant.objects.filter(user=people.nia, role__endswith="operator"),
        "invitation": Invitation.objects.all(),
        "service": ServiceAccount.objects.all(),
        "token": ApiToken.objects.all(),
    }
    return {name: list(rows.values_list("products", flat=True)) for name, rows in made.items()}


@pytest.mark.parametrize("name", ["role", "invitation", "service", "token"])
def test_products_that_are_named_limit_a_right_also_where_the_choice_is_not_shown(people: People, name: str) -> None:
    """The others were archived after the page was shown."""
    assert posted(people, name, ["gone"]) == 400
    assert limits(people)[name] == []
    assert posted(people, name, ["wiki"]) in (200, 302)
    assert limits(people)[name] == [["wiki"]]


@pytest.mark.parametrize(("text", "names"), [("", []), ("  ", []), (" ledger , wallet,", ["ledger", "wallet"])])
def test_names_stand_between_commas(text: str, names: list[str]) -> None:
    assert NamesField(required=False).clean(text) == names


@pytest.mark.parametrize("text", [",", " , ,"])
def test_commas_alone_are_not_all_products(text: str) -> None:
    with pytest.raises(ValidationError, match="no name between the commas"):
        NamesField(required=False).clean(text)
