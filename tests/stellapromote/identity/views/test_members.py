import re
from typing import Any

import pytest
from django.test import Client

from stellapromote.accounts.held_accounts import hold
from stellapromote.accounts.models import ApiToken, HeldAccount, Membership, RoleGrant, ScopeGrant, TeamGrant
from stellapromote.audit.models import AuditEvent
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.forms import MOST_CONFIRMED
from tests.factories import PASSWORD, make_person, make_product, make_tenant, make_token
from tests.stellapromote.identity.views.people import People, browser, make_people

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> People:
    return make_people()


def roles_of(username: str) -> list[str]:
    grants = RoleGrant.objects.filter(user__username=username, ended_at=None).order_by("role")
    return list(grants.values_list("role", flat=True))


def teams_of(username: str) -> list[str]:
    grants = TeamGrant.objects.filter(user__username=username, ended_at=None).order_by("team__slug")
    return list(grants.values_list("team__slug", flat=True))


def choices(client: Client) -> dict[str, tuple[str, bool]]:
    """What the page offers to confirm, by key: what it is, and whether it is chosen."""
    page = client.get("/settings/members").text
    found = re.findall(r'name="chosen" value="([^"]+)" aria-label="Confirm ([^"]+)"( checked)?', page)
    return {key: (title, bool(chosen)) for key, title, chosen in found}


def confirmed(client: Client, *keys: str) -> Any:
    return client.post("/settings/members/confirm", {"chosen": keys}, follow=True)


def test_the_list_shows_everybody_and_who_holds_which_role() -> None:
    page = browser("greta").get("/settings/members").text
    for username in ("greta", "nia", "tomas"):
        assert username in page
    assert "Reads the audit log, exports, verifies and replays." in page
    assert "Nobody." in page


def test_the_list_is_a_constant_number_of_queries(people: People, django_assert_max_num_queries: Any) -> None:
    client = browser("greta")
    for _ in range(5):
        make_person(people.tenant, roles=["viewer", "operator"], teams=["release", "security"])
    with django_assert_max_num_queries(8):
        client.get("/settings/members")


@pytest.mark.parametrize(
    ("username", "page"), [("tomas", "/settings/members"), ("nia", "/settings/teams"), ("tomas", "/settings/teams")]
)
def test_who_may_not_do_anything_there_sees_no_such_page(username: str, page: str) -> None:
    client = browser(username)
    assert client.get(page).status_code == 403
    assert page not in client.get("/settings").text


def test_an_approver_sees_members_to_confirm_and_changes_nothing(people: People) -> None:
    client = browser("nia")
    page = client.get("/settings/members").text
    assert "Add a member" not in page
    assert "/settings/members" in client.get("/settings").text
    assert client.post("/settings/members", {"username": "tomas", "reason": "?"}).status_code == 403
    page = client.get(f"/settings/members/{people.tomas.pk}").text
    assert "Grant role" not in page
    assert "Their tokens" not in page


def test_what_a_page_granted_waits_there_for_another_person(people: People) -> None:
    greta, nia = browser("greta"), browser("nia")
    assert "Not confirmed" not in nia.get("/settings/members").text
    greta.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "reason": "two are too few"})
    grant = RoleGrant.objects.get(user=people.tomas, role="approver")
    key = f"{people.tomas.pk}/{grant.pk}"
    own = greta.get("/settings/members").text
    assert key not in own
    assert "Confirm what is chosen" not in own
    assert "somebody else must confirm it" in own
    assert choices(nia) == {key: ("role approver of tomas", False)}
    assert "Nobody has confirmed it." in nia.get(f"/settings/members/{people.tomas.pk}").text
    assert "Confirmed: role approver of tomas." in confirmed(nia, key).text
    assert "Nothing of it waits for a confirmation any more." in confirmed(nia, key).text
    assert "Not confirmed" not in nia.get("/settings/members").text
    assert "by nia" in " ".join(nia.get(f"/settings/members/{people.tomas.pk}").text.split())
    grant.refresh_from_db()
    assert grant.confirmed_by == people.nia


def test_a_confirmation_that_is_refused_says_why(people: People) -> None:
    greta = browser("greta")
    greta.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "reason": "two are too few"})
    grant = RoleGrant.objects.get(user=people.tomas, role="approver")
    response = confirmed(greta, f"{people.tomas.pk}/{grant.pk}")
    assert response.status_code == 403
    assert "Not confirmed: role approver of tomas. " in response.text
    assert "somebody else must confirm it" in response.text
    grant.refresh_from_db()
    assert not grant.is_vouched_for


def test_each_of_those_that_are_chosen_is_confirmed_or_refused_by_itself(people: People) -> None:
    greta, nia = browser("greta"), browser("nia")
    person, mei = make_person(people.tenant, "mei", roles=["admin"], password=PASSWORD), browser("mei")
    greta.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "reason": "two are too few"})
    greta.post(f"/settings/members/{people.tomas.pk}/teams", {"team": "release", "reason": "two are too few"})
    mei.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "auditor", "reason": "reads the log"})
    keys = {title: key for key, (title, _) in choices(nia).items()}
    assert set(keys) == {"role approver of tomas", "role auditor of tomas", "team release of tomas"}
    response = confirmed(mei, *keys.values(), f"{people.nia.pk}", "nothing")
    assert response.status_code == 200
    assert "Confirmed: role approver of tomas, team release of tomas." in response.text
    assert "Not confirmed: role auditor of tomas. " in response.text
    assert choices(nia) == {keys["role auditor of tomas"]: ("role auditor of tomas", False)}
    told = AuditEvent.objects.filter(action__in=["role.confirmed", "team.confirmed"], resource_id=people.tomas.pk)
    assert sorted(told.values_list("action", "actor_id")) == [
        ("role.confirmed", person.pk),
        ("team.confirmed", person.pk),
    ]
    refused = AuditEvent.objects.get(action="permission.refused", actor_id=person.pk)
    assert keys["role auditor of tomas"] in refused.resource_id


def test_nothing_is_chosen_beforehand_and_a_form_that_chooses_nothing_is_refused(people: People) -> None:
    greta, nia = browser("greta"), browser("nia")
    greta.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "reason": "two are too few"})
    assert [chosen for _, chosen in choices(nia).values()] == [False]
    response = confirmed(nia)
    assert response.status_code == 400
    assert "Choose at least one of them, then confirm it." in response.text
    many = confirmed(nia, *choices(nia), *map(str, range(MOST_CONFIRMED)))
    assert many.status_code == 400
    assert "checked" in many.text
    assert not RoleGrant.objects.get(user=people.tomas, role="approver").is_vouched_for
    assert confirmed(browser("tomas"), *choices(nia)).status_code == 403


def test_an_account_is_confirmed_with_the_rights_of_its_person(people: People) -> None:
    """By a person who does not hold it; to a holder the page says why not."""
    greta, nia = browser("greta"), browser("nia")
    at, reset = DATABASE_CLOCK.now(), HeldAccount.Because.RESET
    [held] = hold(people.tomas.pk, [people.greta.pk], because=reset, tenant_id=people.tenant.pk, at=at)
    greta.post(f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "reason": "two are too few"})
    assert choices(greta) == {}
    assert "This account may be yours" in greta.get("/settings/members").text
    assert [title for title, _ in choices(nia).values()] == ["account of tomas", "role approver of tomas"]
    assert "Confirmed: account of tomas, role approver of tomas." in confirmed(nia, *choices(nia)).text
    held.refresh_from_db()
    assert held.confirmed_by_id == people.nia.pk


def test_somebody_who_left_can_be_taken_back(people: People) -> None:
    client = browser("greta")
    client.post(f"/settings/members/{people.nia.pk}/end", {"reason": "left the company"})
    response = client.post("/settings/members", {"username": "nia", "reason": "is back"})
    membership = Membership.objects.get(user=people.nia, ended_at=None)
    assert response.headers["Location"] == f"/settings/members/{people.nia.pk}"
    assert membership.reason == "is back"


def test_a_username_of_another_tenant_is_answered_as_one_that_nobody_has() -> None:
    make_person(make_tenant("osprey"), "mei")
    client = browser("greta")
    pages = [client.post("/settings/members", {"username": name, "reason": "?"}) for name in ("mei", "ola")]
    assert [page.status_code for page in pages] == [400, 400]
    mei, ola = (re.sub(r"[A-Za-z0-9]{64}|nonce-?=?[^ >]*", "", page.text) for page in pages)
    assert mei.replace('value="mei"', 'value="ola"') == ola


@pytest.mark.parametrize("username", ["nobody", "Not A Name", "x\0", ""])
def test_an_account_that_does_not_exist_cannot_be_added(username: str) -> None:
    response = browser("greta").post("/settings/members", {"username": username, "reason": "?"})
    assert response.status_code == 400
    assert "field-error" in response.text


def test_a_role_is_granted_with_a_reason(people: People) -> None:
    browser("greta").post(f"/settings/members/{people.tomas.pk}/roles", {"role": "auditor", "reason": "audit week"})
    assert roles_of("tomas") == ["auditor", "operator"]
    grant = RoleGrant.objects.get(user=people.tomas, role="auditor")
    assert (grant.granted_by, grant.reason) == (people.greta, "audit week")


def test_a_role_is_granted_for_products_and_again_for_others(people: People) -> None:
    for slug in ("ledger", "wiki"):
        make_product(people.tenant, slug)
    client, page = browser("greta"), f"/settings/members/{people.tomas.pk}"
    for products in (["ledger", "wiki"], ["wiki"]):
        answer = {"role": "operator", "products": products, "reason": "on call"}
        assert client.post(f"{page}/roles", answer).status_code == 302
    assert "operator for wiki" in client.get(page).text
    assert "operator for wiki" in client.get("/settings/members").text
    live = RoleGrant.objects.get(user=people.tomas, ended_at=None)
    assert (live.name, live.products) == ("operator", ["wiki"])
    refused = client.post(f"{page}/roles", {"role": "auditor", "products": ["wiki"], "reason": "x"})
    assert refused.status_code == 400
    assert "Only approver and operator can be limited to products" in refused.text
    assert client.post(f"{page}/roles/operator/end", {"reason": "over"}).status_code == 302
    assert not RoleGrant.objects.filter(user=people.tomas, ended_at=None).exists()


def test_a_person_reads_their_limits_and_an_approver_of_some_products_confirms_nothing(people: People) -> None:
    for slug in ("ledger", "wiki"):
        make_product(people.tenant, slug)
    client = browser("greta")
    client.post(
        f"/settings/members/{people.tomas.pk}/roles", {"role": "approver", "products": ["ledger"], "reason": "x"}
    )
    client.post(f"/settings/members/{people.nia.pk}/roles", {"role": "auditor", "reason": "x"})
    tomas = browser("tomas")
    assert "approver for ledger" in tomas.get("/settings").text
    assert "This is about the whole tenant, and your right is limited to ledger" in tomas.get("/settings/members").text


def test_a_role_is_ended_with_a_reason(people: People) -> None:
    browser("greta").post(f"/settings/members/{people.nia.pk}/roles/approver/end", {"reason": "leaves the team"})
    assert roles_of("nia") == []


def test_a_team_is_granted_and_ended(people: People) -> None:
    client = browser("greta")
    client.post(f"/settings/members/{people.tomas.pk}/teams", {"team": "release", "reason": "on call"})
    assert teams_of("tomas") == ["release"]
    client.post(f"/settings/members/{people.tomas.pk}/teams/release/end", {"reason": "off call"})
    assert teams_of("tomas") == []


INCOMPLETE: list[tuple[str, dict[str, str]]] = [
    ("roles", {"role": "auditor", "reason": ""}),
    ("roles", {"role": "king", "reason": "?"}),
    ("roles", {"role": "auditor", "reason": "x" * 501}),
    ("roles/approver/end", {"reason": ""}),
    ("teams", {"team": "nonsense", "reason": "?"}),
    ("teams/release/end", {"reason": "a\u202eb"}),
    ("end", {"reason": ""}),
]


def test_what_is_incomplete_changes_nothing_and_is_said(people: People) -> None:
    greta = browser("greta")
    for path, answer in INCOMPLETE:
        response = greta.post(f"/settings/members/{people.nia.pk}/{path}", answer)
        assert (path, response.status_code, "error-summary" in response.text) == (path, 400, True)
        assert (path, roles_of("nia"), teams_of("nia")) == (path, ["approver"], ["release"])


def test_a_membership_is_ended_with_all_in_it(people: People) -> None:
    make_token(people.tenant, people.nia)
    client = browser("nia")
    browser("greta").post(f"/settings/members/{people.nia.pk}/end", {"reason": "left the company"})
    assert not people.nia.memberships.filter(ended_at=None).exists()
    assert (roles_of("nia"), teams_of("nia")) == ([], [])
    assert ApiToken.objects.get().revoked_by == people.greta
    assert client.get("/settings/tokens").status_code == 403


@pytest.mark.parametrize(
    ("path", "label"), [("roles/approver/end", "approver"), ("teams/release/end", "release"), ("end", "membership")]
)
def test_a_reason_that_cannot_be_stored_stays_in_the_form_that_it_was_typed_into(
    people: People, path: str, label: str
) -> None:
    address = f"/settings/members/{people.nia.pk}/{path}"
    response = browser("greta").post(address, {"reason": "left\u202e"})
    assert response.status_code == 400
    assert response.text.count('value="left\u202e"') == 1
    form = response.text.partition(f'action="{address}"')[2].partition("</form>")[0]
    assert 'value="left\u202e"' in form
    assert "direction-changing" in form
    assert f"End {label}" in form


def test_nobody_changes_their_own_rights(people: People) -> None:
    answer, greta = {"role": "approver", "team": "release", "reason": "because I can"}, browser("greta")
    for path in ("roles", "roles/admin/end", "teams", "end"):
        response = greta.post(f"/settings/members/{people.greta.pk}/{path}", answer)
        assert (path, response.status_code) == (path, 403)
        assert "your own" in response.text.partition('class="error-summary"')[2].partition("</div>")[0]
        assert (roles_of("greta"), teams_of("greta")) == (["admin"], [])


def test_ones_own_page_says_so_and_has_no_forms(people: People) -> None:
    page = browser("greta").get(f"/settings/members/{people.greta.pk}").text
    assert "You cannot change your own roles" in page
    assert f"/settings/members/{people.greta.pk}/roles" not in page


def test_who_is_in_every_team_is_offered_to_make_another(people: People) -> None:
    page = browser("greta").get(f"/settings/members/{people.nia.pk}").text
    assert "There is no other team yet: make one." in page
    assert f'action="/settings/members/{people.nia.pk}/teams"' not in page


@pytest.mark.parametrize("username", ["nia", "tomas"])
def test_others_than_administrators_change_nobody(people: People, username: str) -> None:
    other = people.tomas if username == "nia" else people.nia
    answer, client = {"role": "viewer", "team": "release", "reason": "?"}, browser(username)
    for path in ("roles", "roles/operator/end", "teams", "teams/release/end", "end"):
        response = client.post(f"/settings/members/{other.pk}/{path}", answer)
        assert (path, response.status_code) == (path, 403)
        assert "This needs the right tenant:admin" in response.text
        # Only a person who confirms grants sees the members, also in the answer to a refused form.
        shown = re.findall(r">\s*([^<>]*?)\s*<", response.text)
        assert (path, other.display_name in shown) == (path, username == "nia")


def test_people_of_another_tenant_do_not_exist() -> None:
    stranger = make_person(make_tenant("osprey"), "mei", roles=["approver"], teams=["release"])
    client = browser("greta")
    answer = {"role": "viewer", "team": "release", "reason": "?"}
    for path in ("", "/roles", "/roles/approver/end", "/teams", "/end"):
        address = f"/settings/members/{stranger.pk}{path}"
        response = client.post(address, answer) if path else client.get(address)
        assert (path, response.status_code) == (path, 404)
        assert roles_of("mei") == ["approver"]


def test_an_administrator_sees_and_revokes_the_tokens_of_a_member_but_not_their_text(people: People) -> None:
    text = make_token(people.tenant, people.nia)
    client = browser("greta")
    page = client.get(f"/settings/members/{people.nia.pk}").text
    token = ApiToken.objects.get()
    assert token.public_id in page
    assert text not in page
    client.post(f"/settings/tokens/{token.pk}/revoke")
    token.refresh_from_db()
    assert token.revoked_by == people.greta


def test_a_right_that_no_role_has_is_given_and_taken_by_name(people: People) -> None:
    client, place = browser("greta"), f"/settings/members/{people.nia.pk}/rights"
    refused = client.post(place, {"scope": "promotion:override", "reason": ""})
    assert refused.status_code == 400
    assert "This field is required." in refused.text.partition('id="scope_reason_error"')[2].partition("</div>")[0]
    assert '<option value="promotion:override" selected>' in refused.text
    assert not ScopeGrant.objects.exists()
    client.post(place, {"scope": "promotion:override", "reason": "on call"})
    grant = ScopeGrant.objects.get(user=people.nia)
    assert (grant.reason, grant.granted_by) == ("on call", people.greta)
    assert "promotion:override" in client.get(f"/settings/members/{people.nia.pk}").text
    client.post(f"{place}/promotion:override/end", {"reason": "not on call"})
    assert not ScopeGrant.objects.filter(ended_at=None).exists()


def test_nobody_gives_themselves_a_right_by_name(people: People) -> None:
    place = f"/settings/members/{people.greta.pk}/rights"
    refused = browser("greta").post(place, {"scope": "promotion:override", "reason": "mine"})
    assert refused.status_code == 403
    assert "your own" in refused.text.partition('class="error-summary"')[2].partition("</div>")[0]
    assert not ScopeGrant.objects.exists()


def test_an_administrator_ends_sessions_of_a_member_in_this_tenant(people: People) -> None:
    first, second, greta = browser("nia"), browser("nia"), browser("greta")
    place = f"/settings/members/{people.nia.pk}"
    assert greta.get(place).text.count("End this session") == 2
    one = people.nia.sessions.get(session_key=first.session.session_key).public_id
    assert greta.post(f"{place}/sessions/{one}/end", follow=True).text.count("1 session ended in this tenant.") == 1
    assert greta.get(place).text.count("End this session") == 1
    ended = first.get("/")
    assert ended.status_code == 403
    assert "An administrator of this tenant ended your session here." in ended.text
    assert first.get("/settings").status_code == 200
    assert second.get("/").status_code == 200
    assert greta.post(f"{place}/sessions/{one}/end").status_code == 404
    greta.post(f"{place}/sessions/end")
    assert second.get("/").status_code == 403
    assert browser("nia").get("/").status_code == 200


def test_a_part_of_a_page_of_an_ended_session_leads_to_the_whole_page(people: People) -> None:
    nia = browser("nia")
    browser("greta").post(f"/settings/members/{people.nia.pk}/sessions/end")
    part = nia.get("/approvals", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/approvals"})
    assert (part.status_code, part["HX-Redirect"]) == (200, "/approvals")


def test_a_session_that_ended_in_one_tenant_goes_on_in_another(people: People) -> None:
    elsewhere = make_tenant("elsewhere")
    make_person(elsewhere, "nia", roles=["viewer"])
    nia = browser("nia")
    nia.post("/tenant", {"tenant": "kestrel-pay"})
    browser("greta").post(f"/settings/members/{people.nia.pk}/sessions/end")
    ended = nia.get("/")
    assert ended.status_code == 403
    assert "Work in another tenant" in ended.text
    nia.post("/tenant", {"tenant": "elsewhere"})
    assert nia.get("/").status_code == 200


@pytest.mark.parametrize("username", ["nia", "tomas"])
def test_other_people_neither_see_nor_end_sessions_of_a_member(people: People, username: str) -> None:
    greta, other = browser("greta"), browser(username)
    place = f"/settings/members/{people.greta.pk}"
    assert "End this session" not in other.get(place).text
    for path in ("sessions/end", f"sessions/{people.greta.sessions.get().public_id}/end"):
        assert other.post(f"{place}/{path}").status_code == 403
    assert greta.get("/").status_code == 200


def test_an_administrator_ends_their_own_sessions_on_the_profile_alone(people: People) -> None:
    greta = browser("greta")
    place = f"/settings/members/{people.greta.pk}"
    assert "End this session" not in greta.get(place).text
    assert greta.post(f"{place}/sessions/end").status_code == 403
    assert greta.get("/").status_code == 200
