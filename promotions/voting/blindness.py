"""The readers from whom the votes of a promotion under a blind approval policy are hidden, and their view of it
(domain.md §5).

While such a promotion takes votes, they are shown to people with a live vote on it and to holders of audit:read, and to
no other reader (docs/adr/0140). A machine that holds audit:read sees them where every person behind it does: it reveals
nothing to the requester or to a voter. All readers see the required and the given number.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from policies.gates import wording_of
from policies.overrides import NOT_YET_EFFECTIVE, OVERRIDDEN, OVERRIDE_POSSIBLE, UNJUDGED
from promotions.models import Promotion, Vote
from promotions.states import VOTING
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import persons_behind
from stellapromote.accounts.models import RoleGrant
from stellapromote.accounts.scopes import AUDIT_READ, ROLES
from stellapromote.errors import Refused, reason_against

Document = dict[str, Any]

VOTES_HIDDEN: Final = "VOTES_HIDDEN"
"""Reason code of a gate whose verdict reveals votes, for readers from whom they are hidden. No record holds it."""

# The shown fields of a gate that may reveal votes, also of a kind not known here; one that waits for no one keeps its
# codes.
_CODES: Final = frozenset({OVERRIDDEN, OVERRIDE_POSSIBLE, NOT_YET_EFFECTIVE, *UNJUDGED})
_DETAILS: Final = ("text", "minConfirmations", "required", "given", "override", "overridePossible", "notYetEffective")
_FACTS: Final = ("policy", "approval-policy", "override")
_CHANGES: Final = ("time", "override")
_OWN_EVENTS: Final = ("approval.granted", "approval.withdrawn")


class BlindToVotes(Refused):
    """The answer names votes that are not shown to this person yet."""

    code = "PERM_BLIND"


def check_can_see_votes(by: Actor, promotion: Promotion, *, voted: bool | None = None) -> None:
    """Checks that ``by`` may see now the voters of the promotion and their votes. BlindToVotes.

    ``voted``: whether they have a live vote; None: it is read. One statement then, for an open blind promotion only;
    two more for a machine with audit:read.
    """
    if not promotion.blind or promotion.status not in VOTING:
        return
    without_audit = _without_audit(by)
    if not without_audit:
        return
    if voted is None or without_audit != {by.user_id}:
        live = Vote.objects.filter(promotion=promotion, voter_id__in=without_audit, ended_at=None)
        voted = live.count() == len(without_audit)
    if not voted:
        raise BlindToVotes(
            f"Voting on promotion #{promotion.number} is blind: who voted and how, and what rests on it, is shown to "
            "those who have voted, and to everybody when it takes no more votes."
        )


def can_see_votes(by: Actor, promotion: Promotion, *, voted: bool | None = None) -> bool:
    return reason_against(check_can_see_votes, by, promotion, voted=voted) is None


def blind_to(by: Actor) -> QuerySet[Promotion]:
    """The tenant's promotions whose votes ``by`` may not see now: ``check_can_see_votes`` as a query."""
    without_audit = _without_audit(by)
    if not without_audit:
        return Promotion.objects.none()
    seen = Q()
    for person in without_audit:
        seen &= Q(Exists(Vote.objects.filter(promotion=OuterRef("pk"), voter_id=person, ended_at=None)))
    return Promotion.objects.filter(~seen, tenant_id=by.tenant, blind=True, status__in=sorted(VOTING))


def _without_audit(by: Actor) -> frozenset[UUID | None]:
    """The readers through ``by`` who see votes only once they have voted: the account itself, or the people behind a
    machine with audit:read who do not hold it by a role of theirs."""
    if not by.has(AUDIT_READ):
        return frozenset({by.user_id})
    if by.kind != "service":
        return frozenset()
    behind = persons_behind(by)
    roles = [role for role, scopes in ROLES.items() if AUDIT_READ in scopes]
    held = RoleGrant.objects.filter(tenant_id=by.tenant, user_id__in=behind, role__in=roles, ended_at=None)
    return behind - frozenset(held.values_list("user_id", flat=True))


def events_without_votes(by: Actor) -> Q:
    """The audit events of a promotion without those of votes, except the votes of ``by``."""
    return Q(action="promotion.requested") | Q(action__in=_OWN_EVENTS, actor_id=by.user_id)


def audit_events_shown(by: Actor) -> Q | None:
    """The events of the audit log without those that tell votes which ``by`` may not see now; None for all of them.

    For holders of audit:read: it hides nothing but from machines.
    """
    if by.kind != "service":
        return None
    blind = Q(promotion_id__in=blind_to(by).values("pk"))
    return Q(promotion_id=None) | ~blind | events_without_votes(by)


def gates_shown(gates: Iterable[Mapping[str, Any]], promotion: Promotion, *, blind: bool) -> list[Document]:
    """Gates, in full or in short, for a reader who sees votes, or is ``blind`` to them."""
    return [_without_votes(gate, promotion) if blind else dict(gate) for gate in gates]


def _without_votes(gate: Mapping[str, Any], promotion: Promotion) -> Document:
    shown = dict(gate)
    wording = wording_of(gate["type"])
    if not wording.tells_votes:
        return shown
    shown["message"] = wording.hidden(promotion.approvals_given, promotion.approvals_required)
    if "reasonCodes" in gate:
        codes = set(gate["reasonCodes"])
        shown["reasonCodes"] = sorted({VOTES_HIDDEN, *(codes if wording.act is None else codes & _CODES)})
    if "details" in gate:
        shown["details"] = {name: gate["details"][name] for name in _DETAILS if name in gate["details"]}
    if "whoCanAct" in gate:
        shown["whoCanAct"] = []
        shown["facts"] = [fact for fact in gate["facts"] if fact["kind"] in _FACTS]
        shown["changes"] = [change for change in gate["changes"] if change["by"] in _CHANGES]
    return shown
