"""The way from a page to an action and back: what is shown again, with which status, and what is noted."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent, RefusalCount

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]

TYPED = {"name": "Nightly", "hours": "4"}
HTMX = {"HX-Request": "true"}


def beside(page: str, name: str) -> str:
    """What stands beside the field."""
    _before, found, after = page.partition(f'<div id="id_{name}_error">')
    return after.partition("</div>")[0] if found else ""


def test_a_page_that_is_looked_at_is_shown(as_nia: Client) -> None:
    answer = as_nia.get("/thing/rule")
    assert (answer.status_code, "error" in answer.text) == (200, False)


def test_what_the_form_does_not_take_never_reaches_the_action(as_nia: Client) -> None:
    answer = as_nia.post("/thing/rule", {"hours": "4"})
    assert answer.status_code == 400
    assert "This field is required." in beside(answer.text, "name")
    assert 'value="4"' in answer.text
    assert "staging" not in answer.text


def test_an_empty_form_is_wrong_and_not_a_visit(as_nia: Client) -> None:
    assert as_nia.post("/thing/done", {}).status_code == 400


def test_what_is_done_is_said_on_the_next_page(as_nia: Client) -> None:
    answer = as_nia.post("/thing/done", TYPED)
    assert (answer.status_code, answer["Location"]) == (302, "/open")
    assert [str(each) for each in get_messages(answer.wsgi_request)] == ["Nightly is there."]


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("refused", 403, "This needs the right policy:write."),
        ("conflict", 409, "Somebody else moved it."),
        ("changed", 412, "What you saw has changed."),
        ("place-taken", 409, "There is one at that place."),
        ("busy", 503, "Another one is read: try again."),
    ],
)
def test_a_refusal_stands_above_what_was_typed_with_its_own_status(
    as_nia: Client, kind: str, status: int, told: str
) -> None:
    answer = as_nia.post(f"/thing/{kind}", TYPED)
    assert answer.status_code == status
    assert told in answer.text.partition('class="error-summary"')[2].partition("</div>")[0]
    assert "field-error" not in answer.text
    assert 'value="Nightly"' in answer.text


@pytest.mark.parametrize(
    ("kind", "status", "field", "told"),
    [
        ("invalid", 400, "name", "At most 20 characters."),
        ("taken", 409, "name", "There is one of that name."),
        ("places", 400, "hours", "Too late."),
        ("rule", 422, "file", "Deploy it into staging first."),
        ("whole", 400, "file", "Nothing of this can be read."),
    ],
)
def test_a_refusal_stands_beside_the_field_that_it_is_about(
    as_nia: Client, kind: str, status: int, field: str, told: str
) -> None:
    answer = as_nia.post(f"/thing/{kind}", TYPED)
    assert answer.status_code == status
    assert told in beside(answer.text, field)
    assert answer.text.count(told) == 2
    assert 'value="Nightly"' in answer.text


@pytest.mark.parametrize(("kind", "told"), [("places", "No."), ("hidden", "Say what you saw.")])
def test_a_place_that_no_field_shows_stands_above_the_form(as_nia: Client, kind: str, told: str) -> None:
    answer = as_nia.post(f"/thing/{kind}", TYPED)
    assert told in [line.strip() for line in answer.text.partition('class="error-summary"')[2].splitlines()]
    assert "#id_subject_digest" not in answer.text


def test_people_are_not_told_of_headers(as_nia: Client) -> None:
    answer = as_nia.post("/thing/unread", TYPED)
    assert answer.status_code == 412
    assert "It changed since you opened it" in answer.text
    assert "If-Match" not in answer.text
    assert "If-Match" not in as_nia.post("/refuse/unread").text


def test_the_page_says_when_to_try_again(as_nia: Client) -> None:
    assert as_nia.post("/thing/busy", TYPED)["Retry-After"] == "5"
    assert "Retry-After" not in as_nia.post("/thing/rule", TYPED)


def test_htmx_gets_a_refusal_as_a_toast(as_nia: Client) -> None:
    answer = as_nia.post("/thing/conflict", TYPED, headers=HTMX)
    assert (answer.status_code, answer["HX-Retarget"]) == (409, "#toasts")


def test_who_may_not_see_the_page_is_told_why_the_action_was_refused(as_nia: Client) -> None:
    answer = as_nia.post("/thing/refused?secret", TYPED)
    assert answer.status_code == 403
    assert "This needs the right policy:write." in answer.text
    assert "Nightly" not in answer.text
    assert as_nia.post("/thing/done?secret", {}).status_code == 403


@pytest.mark.parametrize("path", ["/thing/refused", "/thing/refused?secret"])
def test_a_refused_right_is_noted_once(as_nia: Client, nia: User, path: str) -> None:
    as_nia.post(path, TYPED)
    event = AuditEvent.objects.get(action="permission.refused")
    assert (event.actor_id, event.metadata["code"]) == (nia.pk, "PERM_DENIED")
    assert RefusalCount.objects.get().untold == 0
