"""The audit page answers: who did what to whom, and what was it before."""

import re
from urllib.parse import urlencode

import pytest
from django.utils.html import strip_tags

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.update_environment import update_environment
from stellapromote.identity.actions.grant_role import grant_role
from tests.factories import actor_of, make_freeze, make_person
from tests.promotions.kestrel import START, Kestrel, client_of, make_kestrel
from tests.promotions.views.pages import text

pytestmark = pytest.mark.django_db


@pytest.fixture
def kestrel() -> Kestrel:
    return make_kestrel()


def row_of(kestrel: Kestrel, action: str, who: str = "auditor") -> str:
    shown = text(client_of(kestrel, who), f"/audit?action={action}")
    return re.sub(r"[ \n]+", " ", shown.partition("<tbody>")[2].partition("</tr>")[0])


def test_a_role_that_was_given_says_who_got_which(kestrel: Kestrel) -> None:
    requester = kestrel["requester"].account
    grant_role(by=kestrel["admin"], clock=kestrel.clock, user_id=requester, role="auditor", reason="Quarter <b>end</b>")
    row = row_of(kestrel, "role.granted")
    assert "member requester : auditor" in strip_tags(row).replace(":", " :")
    assert "Quarter &lt;b&gt;end&lt;/b&gt;" in row
    assert str(requester) in row
    assert "<details" in row
    assert "/settings/members/" not in row, "the auditor may not open it"
    kestrel.actors["both"] = actor_of(make_person(kestrel.tenant, "both", roles=["auditor", "admin"]), kestrel.tenant)
    shown = text(client_of(kestrel, "both"), "/audit?action=role.granted")
    assert f'href="/settings/members/{requester}"' in shown


def test_a_freeze_that_was_lifted_is_named_and_leads_to_its_environment(kestrel: Kestrel) -> None:
    now = START.isoformat()
    window = make_freeze(
        kestrel["admin"], kestrel.production, now, "2030-01-01T00:00:00Z", name="Quarter end", clock=kestrel.clock
    )
    kestrel.wait()
    clear_freeze_window(
        by=kestrel["admin"],
        clock=kestrel.clock,
        window_id=window.pk,
        environment_id=kestrel.production.pk,
        reason="Done early",
    )
    row = row_of(kestrel, "freeze_window.cleared")
    assert (
        f'<a href="/environments/{kestrel.production.pk}">freeze window <bdi class="strong">Quarter end</bdi></a>'
        in row
    )
    assert "Done early" in row


def test_an_edit_shows_only_what_it_changed(kestrel: Kestrel) -> None:
    kestrel.wait()
    update_environment(
        by=kestrel["admin"],
        clock=kestrel.clock,
        environment_id=kestrel.staging.pk,
        changes={"required_approvals": 2},
    )
    row = strip_tags(row_of(kestrel, "environment.updated"))
    assert re.search(r"requiredApprovals\s+1 became 2", row)
    assert "displayName" not in row


def listed(kestrel: Kestrel, query: str) -> set[str]:
    """Actions of the rows that the filter leaves."""
    return set(
        re.findall(r'<th scope="row" class="mono">([^<]+)', text(client_of(kestrel, "auditor"), f"/audit?{query}"))
    )


@pytest.mark.parametrize("spelling", ["requester", "Requester", "REQUESTER", "Requester (requester)", "quest", "id"])
def test_a_person_is_found_by_any_form_of_the_name(kestrel: Kestrel, spelling: str) -> None:
    kestrel.ask(kestrel.release(), kestrel.dev)
    requester = kestrel["requester"].account
    if spelling == "id":
        spelling = str(requester)
    shown = text(client_of(kestrel, "auditor"), "/audit?" + urlencode({"actor": spelling}))
    assert "promotion.requested" in shown
    assert set(re.findall(r'data-label="Who"><bdi>([^<]+)', shown)) == {"Requester (requester)"}


def test_a_part_of_an_action_finds_all_that_have_it(kestrel: Kestrel) -> None:
    assert listed(kestrel, "action=team.gr") == {"team.granted"}
    assert {"role.granted", "team.granted"} <= listed(kestrel, "action=GRANTED")


def test_a_sign_of_a_pattern_is_only_a_sign(kestrel: Kestrel) -> None:
    assert listed(kestrel, "actor=%25") == listed(kestrel, "action=role_granted") == set()


def test_who_lacks_the_right_is_told_once_whom_to_ask(kestrel: Kestrel) -> None:
    shown = strip_tags(text(client_of(kestrel, "viewer"), "/audit", status=403)).lower()
    assert "this needs the right audit:read" in shown
    assert shown.count("ask an administrator") == 1
