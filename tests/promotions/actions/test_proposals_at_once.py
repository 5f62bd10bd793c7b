"""Two people with one proposal at the same instant, on real connections."""

from typing import Any

import pytest

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.etags import proposal_tag
from policies.models import Proposal, WeakeningEdit
from promotions.actions.proposals import confirm_proposal, withdraw_proposal
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.models import AuditEvent
from tests.database import CommittedDatabase
from tests.factories import actor_of, make_person
from tests.promotions.kestrel import Kestrel, make_kestrel

ADMINISTRATORS = ("ines", "dana")


@pytest.fixture
def kestrel(committed_db: CommittedDatabase) -> Kestrel:
    kestrel = make_kestrel()
    for name in ADMINISTRATORS:
        user = make_person(kestrel.tenant, name, roles=["admin"], clock=kestrel.clock)
        kestrel.actors[name] = actor_of(user, kestrel.tenant)
    return kestrel


def edit(kestrel: Kestrel, by: Actor, **changes: Any) -> Any:
    production = kestrel.production.pk
    return update_environment(by=by, clock=kestrel.clock, environment_id=production, changes=changes)


def confirm(kestrel: Kestrel, proposal: Proposal, who: str) -> Proposal:
    tag = IfMatch(proposal_tag(proposal))
    return confirm_proposal(proposal.pk, by=kestrel[who], if_match=tag, clock=kestrel.clock)


def codes(found: list[Any]) -> list[str]:
    return sorted(getattr(each, "code", "ok") for each in found)


def test_it_is_confirmed_once(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    proposal = edit(kestrel, kestrel["admin"], require_separation_of_duties=False)
    found = committed_db.at_once(*(lambda who=who: confirm(kestrel, proposal, who) for who in ADMINISTRATORS))
    assert codes(found) == ["RES_STATE_CONFLICT", "ok"]
    assert WeakeningEdit.objects.count() == AuditEvent.objects.filter(action="environment.updated").count() == 1


def test_it_is_confirmed_or_withdrawn(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    proposal = edit(kestrel, kestrel["admin"], require_separation_of_duties=False)
    confirmed, withdrawn = committed_db.at_once(
        lambda: confirm(kestrel, proposal, "ines"),
        lambda: withdraw_proposal(proposal.pk, by=kestrel["admin"], clock=kestrel.clock),
    )
    assert codes([confirmed, withdrawn]) == ["RES_STATE_CONFLICT", "ok"]
    loosened = not Environment.objects.get(pk=kestrel.production.pk).require_separation_of_duties
    assert loosened is isinstance(confirmed, Proposal)


def test_a_tightening_meanwhile_is_never_lost(committed_db: CommittedDatabase, kestrel: Kestrel) -> None:
    """Either the proposal was first, and the tightening came after it, or it is refused as changed meanwhile."""
    proposal = edit(kestrel, kestrel["admin"], require_separation_of_duties=False)
    confirmed, tightened = committed_db.at_once(
        lambda: confirm(kestrel, proposal, "ines"),
        lambda: edit(kestrel, kestrel["dana"], required_approvals=5),
    )
    assert isinstance(tightened, Environment)
    production = Environment.objects.get(pk=kestrel.production.pk)
    assert production.required_approvals == 5
    assert production.require_separation_of_duties is not isinstance(confirmed, Proposal)
    if not isinstance(confirmed, Proposal):
        assert confirmed.code == "RES_PRECONDITION_FAILED"
