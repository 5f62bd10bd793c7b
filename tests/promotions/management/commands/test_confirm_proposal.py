import re

import pytest
from django.core.management.base import CommandError

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.models import Proposal
from stellapromote.accounts.command_line import operating_system_user
from stellapromote.audit.models import AuditEvent
from stellapromote.ids import new_id
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.stellapromote.identity.management.commands.running import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel(now=True)


@pytest.fixture
def proposal(kestrel: Kestrel) -> Proposal:
    found = update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.production.pk,
        changes={"require_separation_of_duties": False},
    )
    assert isinstance(found, Proposal)
    return found


def test_without_an_id_it_lists_those_that_wait(proposal: Proposal) -> None:
    out, _ = run("confirm_proposal", "--tenant", "kestrel")
    assert out == f"{proposal.pk} by admin, about production:\n  {proposal.weakens[0]}\n"


def test_where_none_waits_it_says_so(kestrel: Kestrel) -> None:
    out, _ = run("confirm_proposal", "--tenant", "kestrel")
    assert out == "Nothing waits for a second person.\n"


def test_the_platform_owner_is_the_second_person(proposal: Proposal) -> None:
    out, _ = run("confirm_proposal", "--tenant", "kestrel", str(proposal.pk))
    assert out == f"Confirmed: {proposal.weakens[0]}\n"
    assert not Environment.objects.get(name="production").require_separation_of_duties
    event = AuditEvent.objects.get(action="proposal.confirmed")
    assert operating_system_user() in event.actor_name
    assert event.metadata["authMethod"] == "command"


def test_what_cannot_be_is_one_sentence(proposal: Proposal) -> None:
    make_kestrel("merlin", prefix="merlin-")
    for tenant, which, sentence in (
        ("kestrel", "one", "'one' is no id of a proposal."),
        ("kestrel", str(new_id()), "No such proposal."),
        ("merlin", str(proposal.pk), "No such proposal."),
    ):
        with pytest.raises(CommandError, match=f"^{re.escape(sentence)}$"):
            run("confirm_proposal", "--tenant", tenant, which)
    proposal.refresh_from_db()
    assert proposal.state == "open"


def test_one_that_ended_is_one_sentence(proposal: Proposal) -> None:
    run("confirm_proposal", "--tenant", "kestrel", str(proposal.pk))
    with pytest.raises(CommandError, match="is confirmed and changes no more"):
        run("confirm_proposal", "--tenant", "kestrel", str(proposal.pk))
