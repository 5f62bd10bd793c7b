"""An environment whose approval policy is blind, half-way through a vote, and how people look at it."""

from typing import Any

from environments.actions.update_environment import update_environment
from promotions.actions.confirm import confirm
from promotions.actions.update_approval_policy import update_approval_policy
from promotions.models import Confirmation, Promotion, Vote
from tests.factories import actor_of, make_approval_policy, make_person, make_promotion_policy
from tests.kept import continued, kept
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel

SAID = "Unmistakable words of a voter"
CHECKED = "Unmistakable words of a confirmer"
TELLTALE = "The policy saw quillon"
NAMES = ("quillon", "zephyrine")

# A manual gate, and a policy as code that says who has voted.
GATES = [
    {
        "name": "backup",
        "kind": "manual",
        "config": {"confirmers": {"teams": ["release"]}, "text": "Backup checked", "minConfirmations": 2},
    },
    {
        "name": "team-rule",
        "kind": "policy",
        "config": {
            "text": "size(people.votes) == 0 ? {'allow': true} : {'allow': true, 'warn': [{'code': 'LOOKED_AT', "
            "'message': 'The policy saw ' + people.votes[0].username}]}",
            "timeoutMs": 1000,
        },
    },
]

SEES = ("quillon", "auditor")
"""Who voted, and who holds audit:read."""

BLIND = ("approver", "second", "third", "requester", "builder", "operator", "viewer", "admin", "zephyrine")


@kept
def blinded(*, blind: bool = True) -> Kestrel:
    """Production needs one of team release and one of team security, and does not say who has voted."""
    kestrel = make_kestrel(now=True)
    for name in NAMES:
        user = make_person(kestrel.tenant, name, roles=["approver"], teams=["release"], clock=kestrel.clock)
        kestrel.actors[name] = actor_of(user, kestrel.tenant)
    kestrel.wait()
    make_approval_policy(
        kestrel["admin"],
        "blind",
        clock=kestrel.clock,
        rules=[{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}],
        blind=blind,
    )
    make_promotion_policy(kestrel["admin"], "watched", clock=kestrel.clock, gates=GATES)
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"approval_policies": ["blind"], "promotion_policy": "watched"},
    )
    return kestrel


def hide(kestrel: Kestrel, *, blind: bool) -> None:
    update_approval_policy(
        by=kestrel["admin"],
        clock=kestrel.clock,
        policy_id=kestrel.production.approval_policies.get().pk,
        changes={"blind": blind},
    )


@continued
def half_way(kestrel: Kestrel) -> Promotion:
    """One of two approvals is given, and one of two confirmations."""
    promotion = kestrel.waits_for_production()
    kestrel.approves("quillon", promotion, comment=SAID)
    kestrel.wait()
    return confirm(promotion.pk, "backup", by=kestrel["zephyrine"], comment=CHECKED, clock=kestrel.clock)


def call(kestrel: Kestrel, who: str, path: str, **headers: Any) -> Any:
    return client_of(kestrel, who).get(f"/api/v1/promotions/{path}", headers=headers)


def post(kestrel: Kestrel, who: str, path: str, data: Any = None, **headers: Any) -> Any:
    client, place = client_of(kestrel, who), f"/api/v1/promotions/{path}"
    return client.post(place, data or {}, content_type="application/json", headers=headers)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def telltales(promotion: Promotion, *, people: bool = True) -> list[str]:
    """What no answer says of the votes and confirmations, and with ``people`` of who gave them."""
    acts = [*Vote.objects.filter(promotion=promotion), *Confirmation.objects.filter(promotion=promotion)]
    wanted = [SAID, CHECKED, TELLTALE, *(str(act.pk) for act in acts)]
    if people:
        wanted += [str(act.voter_id) for act in acts]
        wanted += [name for each in NAMES for name in (each, each.capitalize())]
    return wanted


def telling(content: bytes, wanted: list[str]) -> list[str]:
    """Those that stand in an answer."""
    text = content.decode(errors="replace")
    return [each for each in wanted if each in text]
