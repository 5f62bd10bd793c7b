"""Every address of the product, read by who is blind to votes."""

from collections.abc import Iterator

import pytest
from django.urls import URLResolver, get_resolver

from promotions.models import Confirmation, DecisionRecord, Promotion, Vote
from stellapromote.accounts.models import User
from tests.factories import actor_of, make_person
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.voting.blindness.blinded import half_way, telling, telltales

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

NOWHERE = "0197a000-0000-7000-8000-000000000000"


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from routes(each, route)
        else:
            yield route


# What these are about is people, so that names and ids of those who happened to vote stand in them.
ABOUT_PEOPLE = (
    "settings/",
    "api/v1/members",
    "policies/approval/",  # who could approve, if one of these asked?
    "promotions/new",  # who could vote on what is not requested yet
    "admin/accounts/",
    "admin/identity/",
    "admin/audit/",  # how they became members; what they did to the promotion is left out
)
NOT_READ = ("static/", "^api(", "accounts/")


def every_address(promotion: Promotion) -> Iterator[str]:
    """Each address of the product, with the ids of this promotion and of what it is about, and some with queries."""
    policy = promotion.target_environment.approval_policies.get()
    named = {
        "promotion_id": promotion.pk,
        "release_id": promotion.release_id,
        "environment_id": promotion.target_environment_id,
        "policy_id": policy.pk,
        "gate": "backup",
        "number": 1,
        "object_id": promotion.pk,
    }
    by_first = {
        "promotions": promotion.pk,
        "releases": promotion.release_id,
        "environments": promotion.target_environment_id,
        "approval-policies": policy.pk,
    }
    for route in sorted(set(routes(get_resolver()))):
        if route.startswith(NOT_READ):
            continue
        parts = route.split("/")
        first = parts[2] if route.startswith("api/v1/") else ""
        filled = []
        for part in parts:
            if part.startswith("<"):
                kind, _, name = part.strip("<>").rpartition(":")
                other = "watched" if kind == "slug" else NOWHERE
                filled.append(str(by_first.get(first, NOWHERE) if name == "pk" else named.get(name, other)))
            else:
                filled.append(part)
        yield "/" + "/".join(filled)
    record = f"promotions/{promotion.pk}/decisions/{promotion.decision_sequence}/input"
    yield from (f"/{record}", f"/api/v1/{record}")
    yield from ("/approvals?tab=open", "/approvals?tab=mine", "/promotions?status=awaiting_approval")
    yield f"/policies/promotion/watched/simulate?on=one&number={promotion.number}&version=1"
    yield "/policies/promotion/watched/simulate?on=last&last=10&version=1"
    for act in (*Vote.objects.filter(promotion=promotion), *Confirmation.objects.filter(promotion=promotion)):
        yield f"/admin/promotions/{type(act).__name__.lower()}/{act.pk}/change/"
    for record in DecisionRecord.objects.filter(promotion=promotion):
        yield f"/admin/promotions/decisionrecord/{record.pk}/change/"


def told(kestrel: Kestrel, who: str, promotion: Promotion, *, in_admin: bool = True) -> dict[str, list[str]]:
    """Addresses whose answer to this person tells of the votes, with what it tells beside the address itself, to which
    a page leads back. Half of all addresses are those in Django admin."""
    client, found = client_of(kestrel, who), {}
    wanted = {people: telltales(promotion, people=people) for people in (True, False)}
    for address in every_address(promotion):
        if address.startswith("/admin/") and not in_admin:
            continue
        own = address.lstrip("/").startswith(ABOUT_PEOPLE)
        content = client.get(address).content.replace(address.encode(), b"")
        said = telling(content, wanted[not own])
        if said:
            found[address] = said
    return found


@pytest.mark.parametrize("who", ["third", "requester", "operator", "admin", "viewer"])
def test_no_page_and_no_answer_tells_of_a_hidden_vote(kestrel: Kestrel, who: str) -> None:
    """Django admin is closed to all of them but the administrator in one place: the viewer tries each address of it."""
    assert told(kestrel, who, half_way(kestrel), in_admin=who in ("admin", "viewer")) == {}


def test_the_sweep_finds_votes_where_they_are_shown(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    make_person(kestrel.tenant, "everything", roles=["admin", "auditor"], clock=kestrel.clock)
    kestrel.actors["everything"] = actor_of(User.objects.get(username="everything"), kestrel.tenant)
    found = told(kestrel, "everything", promotion)
    api = f"/api/v1/promotions/{promotion.pk}"
    inputs = ("decision/input", f"decisions/{promotion.decision_sequence}/input")
    wanted = {api, *(f"{api}/{each}" for each in ("approvals", "decision", "decisions", "events", "gates", *inputs))}
    wanted |= {f"/promotions/{promotion.pk}/decisions/{promotion.decision_sequence}/input"}
    wanted |= {"/", f"/promotions/{promotion.pk}", "/audit", "/api/v1/audit-events"}
    wanted |= {f"/policies/promotion/watched/simulate?on=one&number={promotion.number}&version=1"}
    wanted |= {f"/admin/promotions/{each}/" for each in ("vote", "confirmation")}
    assert wanted <= found.keys()
