"""/settings/teams/…: a team, its name, and its end."""

import re
from html import unescape

from stellapromote.accounts.models import Team
from stellapromote.identity.actions.create_team import create_team
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.views.pages import text


def make_team(kestrel: Kestrel, slug: str = "payments", name: str = "Payments") -> Team:
    return create_team(by=kestrel["admin"], clock=kestrel.clock, slug=slug, name=name)


def seen(page: str) -> str:
    found = re.search(r'name="seen" value="([^"]+)"', page)
    assert found
    return unescape(found[1])


def test_a_team_gets_another_name(kestrel: Kestrel) -> None:
    make_team(kestrel)
    client = client_of(kestrel, "admin")
    assert 'href="/settings/teams/payments"' in text(client, "/settings/teams")
    answer = {"name": "Payments and refunds", "seen": seen(text(client, "/settings/teams/payments"))}
    assert client.post("/settings/teams/payments", answer).status_code == 302
    assert Team.objects.get(tenant=kestrel.tenant, slug="payments").name == "Payments and refunds"
    again = client.post("/settings/teams/payments", {**answer, "name": "Typed"})
    assert (again.status_code, 'value="Typed"' in again.content.decode()) == (412, True)


def test_a_name_that_cannot_be_is_said_beside_it(kestrel: Kestrel) -> None:
    make_team(kestrel)
    client = client_of(kestrel, "admin")
    answer = {"name": "a\u202eb", "seen": seen(text(client, "/settings/teams/payments"))}
    refused = client.post("/settings/teams/payments", answer)
    assert (refused.status_code, 'id="id_name_error"' in refused.content.decode()) == (400, True)


def test_a_team_that_was_never_used_is_deleted(kestrel: Kestrel) -> None:
    make_team(kestrel)
    answer = client_of(kestrel, "admin").post("/settings/teams/payments/delete")
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/settings/teams")
    assert not Team.objects.filter(tenant=kestrel.tenant, slug="payments").exists()


def test_a_team_that_had_people_stays_and_says_why(kestrel: Kestrel) -> None:
    team = Team.objects.filter(tenant=kestrel.tenant, grants__isnull=False).first()
    assert team is not None
    client = client_of(kestrel, "admin")
    shown = text(client, f"/settings/teams/{team.slug}")
    assert '<a href="/settings/members/' in shown
    answer = client.post(f"/settings/teams/{team.slug}/delete")
    assert answer.status_code == 409
    assert f"People are or were in {team.slug}" in answer.content.decode()
    assert Team.objects.filter(pk=team.pk).exists()


def test_others_see_and_change_no_team(kestrel: Kestrel) -> None:
    make_team(kestrel)
    other = make_kestrel("other", prefix="other-")
    for client, status in ((client_of(kestrel, "approver"), 403), (client_of(other, "admin"), 404)):
        assert client.get("/settings/teams/payments").status_code == status
        assert client.post("/settings/teams/payments", {"name": "x", "seen": '"x"'}).status_code == status
        assert client.post("/settings/teams/payments/delete").status_code == status
    assert Team.objects.get(tenant=kestrel.tenant, slug="payments").name == "Payments"
