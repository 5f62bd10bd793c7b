"""/environments and /environments/{id} (ui.md, Pages)."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from environments.models import Environment
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant, User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.end_team import end_team
from tests.factories import (
    actor_of,
    make_approval_policy,
    make_environment,
    make_freeze,
    make_person,
    make_product,
    make_ready_tenant,
)
from tests.promotions.deployments import deploy, release, request
from tests.signed_in import signed_in

NOWHERE = UUID("00000000-0000-7000-8000-000000000000")
EVER = ("2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z")


@pytest.fixture
def tenant(db: None) -> Tenant:
    return make_ready_tenant("kestrel-pay")


@pytest.fixture
def people(tenant: Tenant) -> dict[str, User]:
    return {
        "greta": make_person(tenant, "greta", roles=["admin"]),
        "tomas": make_person(tenant, "tomas", roles=["operator"]),
    }


@pytest.fixture
def admin(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["greta"], tenant)


@pytest.fixture
def operator(tenant: Tenant, people: dict[str, User]) -> Actor:
    return actor_of(people["tomas"], tenant)


@pytest.fixture
def line(admin: Actor) -> dict[str, Environment]:
    """dev 1, staging 2, prod 3, none protected: one person moves and archives them alone."""
    return {
        name: make_environment(admin, name, index, protected=False)
        for index, name in enumerate(("dev", "staging", "prod"), 1)
    }


@pytest.fixture
def greta(people: dict[str, User]) -> Client:
    return signed_in(people["greta"])


@pytest.fixture
def tomas(people: dict[str, User]) -> Client:
    return signed_in(people["tomas"])


@pytest.fixture
def stranger(db: None) -> Client:
    other = make_ready_tenant("merlin")
    return signed_in(make_person(other, "otto", roles=["admin"]))


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_policies_for_some_products_are_chosen_line_by_line(
    greta: Client, admin: Actor, line: dict[str, Environment], tenant: Tenant
) -> None:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    for name in ("audit", "two-person"):
        make_approval_policy(admin, name)
    make_product(tenant, "ledger")
    path = f"/environments/{line['dev'].pk}/edit"
    shown = greta.get(path).context["form"]
    fields = {name: shown[name].value() for name in shown.fields if shown[name].value() is not None}
    lines = "audit: ledger, main\n\ntwo-person: ledger"
    assert greta.post(path, {**fields, "product_approval_policies": "audit"}).status_code == 400
    answer = greta.post(path, {**fields, "product_approval_policies": lines, "other_products": "refuse"})
    assert answer.status_code == 302, text(answer)
    page = text(greta.get(f"/environments/{line['dev'].pk}"))
    assert "audit for ledger, main" in page
    assert "other products are refused" in page
    assert 'audit</a> <span class="muted">v1</span> for ledger, main' in text(greta.get("/policies"))
    shown = greta.get(path).context["form"]
    assert shown["product_approval_policies"].value() == "audit: ledger, main\ntwo-person: ledger"
    fields = {name: shown[name].value() for name in shown.fields if shown[name].value() is not None}
    greta.post(path, {**fields, "other_products": "allow"})
    assert "other products need no approval" in text(greta.get("/environments"))


def test_an_environment_says_whether_it_is_on_every_path(
    greta: Client, admin: Actor, line: dict[str, Environment]
) -> None:
    def said(name: str) -> str:
        [found] = re.findall(
            r"<dt>On the path of every product</dt>\s*<dd>(.*?)</dd>", text(greta.get(f"/environments/{line[name].pk}"))
        )
        return str(found)

    assert (said("dev"), said("staging")) == ("No", "Yes: it stands directly before production")
    path = f"/environments/{line['staging'].pk}/edit"
    for chosen, stored, words in (("no", False, "No"), ("yes", True, "Yes"), ("", None, said("staging"))):
        shown = greta.get(path).context["form"]
        fields = {name: shown[name].value() for name in shown.fields if shown[name].value() is not None}
        assert greta.post(path, {**fields, "required_on_every_path": chosen}).status_code == 302
        assert Environment.objects.get(name="staging").required_on_every_path is stored
        assert said("staging") == words


def test_environments_are_listed_in_promotion_order_with_what_runs_and_guards(
    tomas: Client, admin: Actor, operator: Actor, line: dict[str, Environment], tenant: Tenant
) -> None:
    make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_approval_policy(admin, "two-person")
    make_environment(admin, "live", 4, approval_policies=["two-person"], required_approvals=2)
    deploy(operator, release(operator, "2026.47.1"), line["dev"])
    page = text(tomas.get("/environments"))
    assert page.index(">Dev<") < page.index(">Staging<") < page.index(">Prod<") < page.index(">Live<")
    assert "2026.47.1" in page
    assert "two-person" in page
    assert "2 approvals" in page
    assert "Nobody has to approve" in page


def test_a_stop_of_the_line_is_said_first(tomas: Client, admin: Actor, line: dict[str, Environment]) -> None:
    make_freeze(admin, None, *EVER, reason="Stock-taking")
    page = text(tomas.get("/environments"))
    assert page.index("The line is stopped") < page.index(">Dev<")
    assert page.count("Frozen") == 3
    assert "Stock-taking" in page


def test_who_may_not_write_sees_the_button_disabled_with_the_reason(
    tomas: Client, line: dict[str, Environment]
) -> None:
    page = text(tomas.get("/environments"))
    assert 'aria-disabled="true"' in page
    assert "This needs the right environment:write" in page
    assert "/environments/new" not in page


def test_an_empty_tenant_is_told_the_next_step(greta: Client, tenant: Tenant) -> None:
    assert 'href="/environments/new"' in text(greta.get("/environments"))


def test_polling_is_silent_until_something_changes(tomas: Client, admin: Actor, line: dict[str, Environment]) -> None:
    first = tomas.get("/environments", headers={"HX-Request": "true"})
    again = tomas.get("/environments", headers={"HX-Request": "true", "If-None-Match": first["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert "<html" not in text(first)
    make_freeze(admin, line["dev"], *EVER)
    changed = tomas.get("/environments", headers={"HX-Request": "true", "If-None-Match": first["ETag"]})
    assert changed.status_code == 200


def test_the_list_takes_a_constant_number_of_statements(
    tomas: Client, admin: Actor, line: dict[str, Environment]
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert tomas.get("/environments").status_code == 200
        return len(captured)

    statements()
    few = statements()
    for number in range(5):
        make_environment(admin, f"e{number}", 10 + number)
    assert statements() == few


def test_the_page_shows_what_guards_it_its_history_and_its_freezes(
    tomas: Client, admin: Actor, operator: Actor, line: dict[str, Environment]
) -> None:
    deploy(operator, release(operator, "2026.47.1"), line["dev"])
    make_freeze(admin, line["dev"], *EVER, name="Quarter end", reason="Books are closed")
    page = text(tomas.get(f"/environments/{line['dev'].pk}"))
    assert "2026.47.1" in page
    assert "In force" in page
    assert "Books are closed" in page
    assert "Nobody has to approve" in page


def test_the_page_takes_a_constant_number_of_statements(
    tomas: Client, admin: Actor, operator: Actor, line: dict[str, Environment]
) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert tomas.get(f"/environments/{line['dev'].pk}").status_code == 200
        return len(captured)

    deploy(operator, release(operator, "r0"), line["dev"])
    make_freeze(admin, line["dev"], *EVER)
    statements()
    few = statements()
    for number in range(1, 4):
        deploy_later = release(operator, f"r{number}")
        make_freeze(admin, line["staging"], *EVER)
        make_freeze(admin, line["dev"], *EVER, name=f"f{number}")
        assert deploy_later.pk
    assert statements() == few


def test_the_page_with_many_freezes_reads_the_products_of_those_that_it_shows(
    tomas: Client, admin: Actor, line: dict[str, Environment]
) -> None:
    """The state asks for the products of all that stand, and the list and the days for those of a few."""
    for number in range(7):
        make_product(Tenant.objects.get(pk=admin.tenant), f"p{number}")
        make_freeze(admin, line["dev"], *EVER, name=f"f{number}", products=[f"p{number}"])
    path = f"/environments/{line['dev'].pk}?month=2026-11"
    text(tomas.get(path))
    with CaptureQueriesContext(connection) as captured:
        days = re.findall(r'<td data-label="\w{3} \d+".*?</td>', text(tomas.get(path)), re.DOTALL)
    reading = [each["sql"] for each in captured if 'FROM "environments_freezewindow"' in each["sql"]]
    assert sum('"products"' in sql.partition(" FROM ")[0] for sql in reading) == len(reading) - 1 == 3
    assert {(day.count("for p"), "and 2 more" in day) for day in days} == {(5, True)}


@pytest.mark.slow
def test_history_is_paged(tomas: Client, operator: Actor, line: dict[str, Environment]) -> None:
    for number in range(21):
        deploy(operator, release(operator, f"r{number:02}"), line["dev"])
    first = text(tomas.get(f"/environments/{line['dev'].pk}"))
    assert "r20" in first
    assert "r00" not in first.partition("history-title")[2]
    following = first.partition('rel="next" href="')[2].partition('"')[0]
    assert "r00" in text(tomas.get(f"/environments/{line['dev'].pk}{following}")).partition("history-title")[2]


@pytest.mark.parametrize("cursor", ["x", "\x00", "a" * 700])
def test_a_bad_cursor_is_a_400_page(tomas: Client, line: dict[str, Environment], cursor: str) -> None:
    assert tomas.get(f"/environments/{line['dev'].pk}", {"cursor": cursor}).status_code == 400


def test_the_month_can_be_turned_with_and_without_script(
    tomas: Client, admin: Actor, line: dict[str, Environment]
) -> None:
    make_freeze(admin, line["dev"], "2090-12-24T00:00:00Z", "2090-12-27T00:00:00Z", name="Christmas")
    address = f"/environments/{line['dev'].pk}?month=2090-12"
    whole = text(tomas.get(address))
    part = text(tomas.get(address, headers={"HX-Request": "true", "HX-Target": "month"}))
    assert "December 2090" in whole
    assert part.count("Christmas") == 3
    assert "<html" not in part


def test_a_new_environment(greta: Client, tenant: Tenant) -> None:
    form = greta.get("/environments/new")
    assert form.status_code == 200
    assert "There is none yet." in text(form)  # approval policies to choose from
    answer = greta.post("/environments/new", {**FORM, "name": "prod", "order_index": 1})
    environment = Environment.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/environments/{environment.pk}")
    assert (environment.name, environment.is_production, environment.required_approvals) == ("prod", True, 1)


FORM = {
    "display_name": "Production",
    "is_production": "",
    "required_approvals": 1,
    "promotion_policy": "default",
    "exclusive": "product",
    "deployment_timeout": 3600,
    "health_check_interval": 60,
}


def test_a_form_keeps_what_was_typed_and_says_what_is_wrong_beside_the_field(
    greta: Client, line: dict[str, Environment]
) -> None:
    answer = greta.post("/environments/new", {**FORM, "name": "Prod!", "order_index": 9, "variables": "TOKEN=x"})
    page = text(answer)
    assert answer.status_code == 400
    assert 'value="Prod!"' in page
    assert 'id="id_name_error"' in page
    assert 'id="id_variables_error"' in page
    assert "Secrets do not live in environments" in page


def test_a_taken_place_is_said_in_the_form(greta: Client, line: dict[str, Environment]) -> None:
    answer = greta.post("/environments/new", {**FORM, "name": "qa", "order_index": 2})
    assert answer.status_code == 409
    assert "staging stands at orderIndex 2" in beside(answer, "order_index")
    assert 'value="qa"' in text(answer)


def test_a_taken_name_is_said_beside_the_name(greta: Client, line: dict[str, Environment]) -> None:
    answer = greta.post("/environments/new", {**FORM, "name": "prod", "order_index": 9})
    assert answer.status_code == 409
    assert "prod" in beside(answer, "name")


def test_a_form_without_a_word_is_wrong(greta: Client, line: dict[str, Environment]) -> None:
    for path in ("/environments/new", f"/environments/{line['dev'].pk}/edit"):
        assert greta.post(path, {}).status_code == 400


def refused_on(answer: Any) -> str:
    """What the page says of the refused action."""
    return text(answer).partition('class="error-summary"')[2].partition("</div>")[0]


def beside(answer: Any, name: str) -> str:
    """What stands beside the field."""
    return text(answer).partition(f'id="id_{name}_error"')[2].partition("</div>")[0]


def edit_form(client: Client, environment: Environment) -> dict[str, Any]:
    """What a browser would send back untouched."""
    form = client.get(f"/environments/{environment.pk}/edit").context["form"]
    shown = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in shown.items() if value is not None and value is not False}


def test_editing(greta: Client, line: dict[str, Environment]) -> None:
    data = edit_form(greta, line["dev"])
    answer = greta.post(f"/environments/{line['dev'].pk}/edit", {**data, "display_name": "Playground"})
    assert answer.status_code == 302, text(answer)
    assert Environment.objects.get(name="dev").display_name == "Playground"


def test_an_edit_of_what_changed_meanwhile_is_not_stored(greta: Client, line: dict[str, Environment]) -> None:
    data = edit_form(greta, line["dev"])
    greta.post(f"/environments/{line['dev'].pk}/edit", {**data, "display_name": "First"})
    answer = greta.post(f"/environments/{line['dev'].pk}/edit", {**data, "display_name": "Second"})
    assert answer.status_code == 412
    assert "It changed since you opened it" in refused_on(answer)
    assert 'value="Second"' in text(answer)
    assert Environment.objects.get(name="dev").display_name == "First"


def test_moving(greta: Client, line: dict[str, Environment]) -> None:
    answer = greta.post(f"/environments/{line['prod'].pk}/move", {"order_index": 2, "version": 1})
    assert answer.status_code == 302
    assert [row.name for row in Environment.objects.in_order()] == ["dev", "prod", "staging"]


def test_a_move_on_an_old_page_is_refused(greta: Client, line: dict[str, Environment]) -> None:
    greta.post(f"/environments/{line['prod'].pk}/move", {"order_index": 2, "version": 1})
    answer = greta.post(f"/environments/{line['prod'].pk}/move", {"order_index": 1, "version": 1})
    assert answer.status_code == 412
    assert "It changed since you opened it" in refused_on(answer)
    assert 'name="version" value="2"' in text(answer)


@pytest.mark.parametrize("data", [{}, {"order_index": "x", "version": 1}, {"order_index": 1}, {"order_index": -1}])
def test_a_move_that_no_button_sends_is_400(greta: Client, line: dict[str, Environment], data: Any) -> None:
    answer = greta.post(f"/environments/{line['prod'].pk}/move", data)
    assert answer.status_code == 400
    assert "something to correct" in text(answer) or "things to correct" in text(answer)
    assert "Environments in promotion order" in text(answer)


def test_archiving_and_putting_back(greta: Client, line: dict[str, Environment]) -> None:
    page = f"/environments/{line['staging'].pk}"
    assert greta.post(f"{page}/archive").status_code == 302
    assert "Archived" in text(greta.get(page))
    assert greta.post(f"{page}/unarchive", {"order_index": 2}).status_code == 302
    assert Environment.objects.live().count() == 3


def test_a_place_that_cannot_be_is_said_beside_it(greta: Client, line: dict[str, Environment]) -> None:
    page = f"/environments/{line['staging'].pk}"
    greta.post(f"{page}/archive")
    for place, status, told in ((10_000, 400, "9999"), (1, 409, "dev stands at orderIndex 1")):
        answer = greta.post(f"{page}/unarchive", {"order_index": place})
        assert answer.status_code == status
        assert told in beside(answer, "order_index")
        assert f'value="{place}"' in text(answer)


def test_what_cannot_be_archived_or_deleted_stays_on_its_page_with_the_reason(
    greta: Client, operator: Actor, line: dict[str, Environment]
) -> None:
    deploy(operator, release(operator, "one"), line["dev"])
    page = f"/environments/{line['dev'].pk}"
    answer = greta.post(f"{page}/delete")
    assert answer.status_code == 409
    assert "dev has promotion history that must stay readable" in refused_on(answer)
    assert "What guards it, what runs there" in text(answer)
    greta.post(f"{page}/archive")
    answer = greta.post(f"{page}/archive")
    assert answer.status_code == 409
    assert "Archived" in text(answer)


def test_deleting_one_that_was_never_used(greta: Client, line: dict[str, Environment]) -> None:
    assert greta.post(f"/environments/{line['prod'].pk}/delete")["Location"] == "/environments"
    assert not Environment.objects.filter(name="prod").exists()


def test_buttons_that_a_rule_forbids_carry_its_sentence(
    greta: Client, admin: Actor, operator: Actor, line: dict[str, Environment]
) -> None:
    one = release(operator, "one")
    deploy(operator, one, line["dev"])
    make_freeze(admin, line["staging"], *EVER)
    request(operator, one, line["staging"])
    dev = text(greta.get(f"/environments/{line['dev'].pk}"))
    assert "dev has 1 active promotion into or out of it: wait for the end or cancel first." in dev
    assert "dev has promotion history that must stay readable: archive it instead." in dev
    prod = text(greta.get(f"/environments/{line['prod'].pk}"))
    assert "aria-disabled" not in prod


def test_archive_and_delete_say_their_common_reason_once(people: dict[str, User], line: dict[str, Environment]) -> None:
    page = signed_in(people["tomas"]).get(f"/environments/{line['prod'].pk}")
    end = text(page).split('id="end-title"')[1]
    assert end.count('aria-disabled="true"') == 2
    assert end.count("This needs the right environment:write") == 1


def test_the_source_of_an_automatic_promotion_says_why_it_cannot_go(
    greta: Client, admin: Actor, line: dict[str, Environment]
) -> None:
    make_environment(admin, "live", 4, auto_promote_from="prod")
    assert "live is promoted to automatically from prod" in text(greta.get(f"/environments/{line['prod'].pk}"))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "new"),
        ("post", "new"),
        ("get", "{}/edit"),
        ("post", "{}/edit"),
        ("post", "{}/move"),
        ("post", "{}/archive"),
        ("post", "{}/unarchive"),
        ("post", "{}/delete"),
    ],
)
def test_writing_needs_the_right_to_write(tomas: Client, line: dict[str, Environment], method: str, path: str) -> None:
    data = {"order_index": 1, "version": 1}
    answer = getattr(tomas, method)(f"/environments/{path.format(line['dev'].pk)}", data)
    assert answer.status_code == 403
    assert Environment.objects.filter(version=1).count() == 3


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", "{}"), ("get", "{}/edit"), ("post", "{}/move"), ("post", "{}/archive"), ("post", "{}/delete")],
)
def test_another_tenants_environment_does_not_exist(
    stranger: Client, line: dict[str, Environment], method: str, path: str
) -> None:
    for identifier in (line["dev"].pk, NOWHERE):
        data = {"order_index": 1, "version": 1}
        assert getattr(stranger, method)(f"/environments/{path.format(identifier)}", data).status_code == 404


def test_that_too_few_people_may_approve_is_said_until_there_are_more(
    tenant: Tenant, admin: Actor, tomas: Client
) -> None:
    path = f"/environments/{make_environment(admin, 'prod', 1, required_approvals=3).pk}"
    for name in ("nia", "mei"):
        make_person(tenant, name, roles=["approver"])
    page = tomas.get(path).content.decode()
    assert "too few people may approve it" in page
    assert "Approval by anyone needs 3 people, and 2 are eligible." in page
    make_person(tenant, "idris", roles=["approver"])
    assert "too few people" not in tomas.get(path).content.decode()


def test_nobody_in_the_team_of_a_policy_any_more_is_said(tenant: Tenant, admin: Actor, tomas: Client) -> None:
    nia = make_person(tenant, "nia", roles=["approver"], teams=["release"])
    make_approval_policy(admin, "release-only")
    path = f"/environments/{make_environment(admin, 'prod', 1, approval_policies=['release-only']).pk}"
    assert "too few people" not in tomas.get(path).content.decode()
    end_team(by=admin, clock=DATABASE_CLOCK, user_id=nia.pk, team="release")
    assert "Rule release of release-only needs 1 person, and nobody is eligible." in tomas.get(path).content.decode()


def test_where_nobody_has_to_approve_nobody_is_missing(admin: Actor, tomas: Client) -> None:
    path = f"/environments/{make_environment(admin, 'dev', 1).pk}"
    assert "too few people" not in tomas.get(path).content.decode()
