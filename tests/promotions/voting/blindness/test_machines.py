"""A machine with audit:read reveals no vote to the people who stand behind it (docs/adr/0140)."""

from typing import Any

import pytest
from django.test import Client

from promotions.actions.cancel import cancel
from promotions.models import Promotion
from promotions.voting.blindness import blind_to, can_see_votes
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from stellapromote.audit.sealer import seal_chain
from stellapromote.identity.actions.add_service_owner import add_service_owner
from tests.database import CommittedDatabase
from tests.factories import actor_of_token, make_service, make_token
from tests.promotions.kestrel import Kestrel
from tests.promotions.voting.blindness.blinded import SAID, blinded, half_way

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def token_of(kestrel: Kestrel, *owners: str) -> str:
    """Of a machine with audit:read, owned by these people of the story."""
    first, *others = owners
    service = make_service(
        kestrel.tenant, person(kestrel, first), scopes=["audit:read", "promotion:read"], clock=kestrel.clock
    )
    for other in others:
        add_service_owner(
            by=command_actor(kestrel.tenant), clock=kestrel.clock, service_id=service.pk, owner=kestrel[other].username
        )
    return make_token(kestrel.tenant, service.user, clock=kestrel.clock)


def person(kestrel: Kestrel, name: str) -> User:
    return User.objects.get(pk=kestrel[name].user_id)


def get(token: str, path: str) -> Any:
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})


def sees(by: Actor, promotion: Promotion) -> bool:
    """By the rule, which says the same as its query."""
    answer = can_see_votes(by, promotion)
    assert (promotion in blind_to(by)) is not answer
    return answer


@pytest.mark.parametrize(
    ("owners", "seen"),
    [
        (("auditor",), True),
        (("quillon",), True),  # who has voted
        (("auditor", "quillon"), True),
        (("requester",), False),
        (("second",), False),  # who may still vote
        (("admin",), False),
        (("auditor", "requester"), False),
        (("quillon", "second"), False),
    ],
)
def test_a_machine_sees_what_all_people_behind_it_see(kestrel: Kestrel, owners: tuple[str, ...], seen: bool) -> None:
    promotion = half_way(kestrel)
    token = token_of(kestrel, *owners)
    assert sees(actor_of_token(token), promotion) is seen
    assert (SAID in get(token, f"promotions/{promotion.pk}/approvals").content.decode()) is seen
    assert (SAID in get(token, f"promotions/{promotion.pk}").content.decode()) is seen
    assert (SAID in get(token, f"audit-events?promotionId={promotion.pk}").content.decode()) is seen


def test_the_issuer_of_the_token_stands_behind_it(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    by = actor_of_token(token_of(kestrel, "auditor"))
    named = {name: getattr(by, name) for name in by.__slots__}
    assert sees(Actor(**named), promotion)
    assert not sees(Actor(**named | {"token_issuer_id": kestrel["second"].user_id}), promotion)


def test_a_machine_reads_the_rest_of_the_audit_log(kestrel: Kestrel) -> None:
    promotion = half_way(kestrel)
    token = token_of(kestrel, "requester")
    actions = {each["action"] for each in get(token, f"audit-events?promotionId={promotion.pk}").json()["data"]}
    assert actions == {"promotion.requested"}
    others = {each["action"] for each in get(token, "audit-events?pageSize=100").json()["data"]}
    assert {"service.created", "token.issued", "approval_policy.created"} <= others


def test_who_follows_the_numbers_misses_no_event(committed_db: CommittedDatabase) -> None:
    """The list ends before the first hidden event, and goes on when voting has ended."""
    kestrel = blinded()
    promotion = half_way(kestrel)
    token = token_of(kestrel, "requester")
    seal_chain(kestrel.tenant.pk)

    def followed() -> list[int]:
        found: list[int] = []
        while page := get(token, f"audit-events?pageSize=100&afterSequence={found[-1] if found else 0}").json()["data"]:
            found += [each["sequence"] for each in page]
        return found

    before = followed()
    first_vote = AuditEvent.objects.filter(promotion_id=promotion.pk, action="approval.granted").earliest("timestamp")
    assert before == list(range(1, len(before) + 1))
    assert len(before) < first_vote.link.sequence
    cancel(promotion.pk, by=kestrel["admin"], clock=kestrel.clock)
    seal_chain(kestrel.tenant.pk)
    after = followed()
    assert after == list(range(1, len(after) + 1))
    assert len(after) > len(before)
    assert SAID in get(token, f"audit-events?promotionId={promotion.pk}").content.decode()
