"""The readers from whom the votes of a promotion under a blind approval policy are hidden, and their view of it
(domain.md §5).

While such a promotion takes votes, they are shown to people with a live vote on it and to holders of audit:read, and to
no other reader (docs/adr/0140). All readers see the required and the given number.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from policies.gates import wording_of
from policies.overrides import NOT_YET_EFFECTIVE, OVERRIDDEN, OVERRIDE_POSSIBLE, UNJUDGED
from promotions.models import Promotion, Vote
from promotions.states import VOTING
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import AUDIT_READ
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

    ``voted``: whether they have a live vote; None: it is read. One statement then, for an open blind promotion only.
    """
    if not promotion.blind or promotion.status not in VOTING or by.has(AUDIT_READ):
        return
    if voted is None:
        voted = Vote.objects.filter(promotion=promotion, voter_id=by.user_id, ended_at=None).exists()
    if not voted:
        raise BlindToVotes(
            f"Voting on promotion #{promotion.number} is blind: who voted and how, and what rests on it, is shown to "
            "those who have voted, and to everybody when it takes no more votes."
        )


def can_see_votes(by: Actor, promotion: Promotion, *, voted: bool | None = None) -> bool:
    return reason_against(check_can_see_votes, by, promotion, voted=voted) is None


def blind_to(by: Actor) -> QuerySet[Promotion]:
    """The tenant's promotions whose votes ``by`` may not see now: ``check_can_see_votes`` as a query."""
    if by.has(AUDIT_READ):
        return Promotion.objects.none()
    mine = Vote.objects.filter(promotion=OuterRef("pk"), voter_id=by.user_id, ended_at=None)
    return Promotion.objects.filter(~Exists(mine), tenant_id=by.tenant, blind=True, status__in=sorted(VOTING))


def events_without_votes(by: Actor) -> Q:
    """The audit events of a promotion without those of votes, except the votes of ``by``."""
    return Q(action="promotion.requested") | Q(action__in=_OWN_EVENTS, actor_id=by.user_id)


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
