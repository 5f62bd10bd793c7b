"""An edit that made entering easier is sealed into what is decided within 30 days of it, and stands on the board."""

from typing import Any

import orjson
import pytest
from django.test import Client

from environments.actions.update_environment import update_environment
from environments.models import Environment
from policies.actions.publish_promotion_policy import publish_promotion_policy
from policies.actions.save_draft import save_draft
from promotions.models import EvidencePacket, Promotion
from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import User
from tests.promotions.kestrel import Kestrel, make_kestrel
from tests.proposals import confirmed

pytestmark = pytest.mark.django_db

EASIER = "Environment production: Separation of duties: the release's creator may vote again."


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def edit(kestrel: Kestrel, environment: Environment, **changes: Any) -> None:
    kestrel.wait()
    done = update_environment(by=kestrel["admin"], clock=kestrel.clock, environment_id=environment.pk, changes=changes)
    confirmed(done, kestrel.clock)


def sealed(promotion: Promotion) -> list[dict[str, str]]:
    """The weakening edits in the packet of the decision."""
    packet = EvidencePacket.objects.get(promotion=promotion, type="release_decision")
    found: list[dict[str, str]] = orjson.loads(bytes(packet.document))["content"]["weakeningEdits"]
    return found


def decided(kestrel: Kestrel, promotion: Promotion) -> Promotion:
    kestrel.approves("approver", promotion)
    return kestrel.approves("second", promotion)


def test_the_packet_names_the_edit_and_who_made_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    edit(kestrel, kestrel.production, require_separation_of_duties=False)
    [found] = sealed(decided(kestrel, promotion))
    assert (found["by"], found["what"]) == ("admin", EASIER)


def test_an_edit_of_another_environment_is_not_in_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    edit(kestrel, kestrel.staging, required_approvals=0)
    assert sealed(decided(kestrel, promotion)) == []


def test_who_confirmed_it_is_named(kestrel: Kestrel) -> None:
    edit(kestrel, kestrel.production, require_separation_of_duties=False)
    [found] = sealed(decided(kestrel, kestrel.waits_for_production()))
    assert found["confirmedBy"] == operating_system_user()
    assert found["confirmedAt"] == found["at"]


def test_nobody_confirms_what_is_not_protected(kestrel: Kestrel) -> None:
    edit(kestrel, kestrel.staging, required_approvals=0)
    release = kestrel.release()
    kestrel.deploys(kestrel.ask(release, kestrel.dev))
    [found] = sealed(kestrel.ask(release, kestrel.staging))
    assert (found["confirmedAt"], found["confirmedBy"]) == (None, None)


@pytest.mark.parametrize(("days", "edits"), [(29, 1), (31, 0)])
def test_an_edit_is_in_it_for_thirty_days(kestrel: Kestrel, days: int, edits: int) -> None:
    edit(kestrel, kestrel.production, require_separation_of_duties=False)
    kestrel.wait(days=days)
    assert len(sealed(decided(kestrel, kestrel.waits_for_production()))) == edits


def test_an_edit_of_the_policy_that_guards_it_is_in_it(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    save_draft(by=kestrel["admin"], clock=kestrel.clock, name="default", changes={"approvalTtl": 360_000})
    confirmed(publish_promotion_policy(by=kestrel["admin"], clock=kestrel.clock, name="default"), kestrel.clock)
    found = " ".join(each["what"] for each in sealed(decided(kestrel, promotion)))
    assert "An approval stays good for 100 hours instead of 3 days." in found


def test_it_is_counted_on_the_board() -> None:
    kestrel = make_kestrel(now=True)
    client = Client()
    client.force_login(User.objects.get(username="viewer"))
    before = client.get("/")
    assert "made entering easier" not in before.content.decode()
    edit(kestrel, kestrel.production, require_separation_of_duties=False)
    again = client.get("/", headers={"If-None-Match": before["ETag"]})
    assert again.status_code == 200
    assert again.context["weakened"] == 1
    assert "1 edit made entering easier in the last 30 days" in " ".join(again.content.decode().split())
