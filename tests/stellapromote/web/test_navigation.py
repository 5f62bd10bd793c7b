from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import scopes_of
from stellapromote.web.navigation import ENTRIES, navigation

urlpatterns = [path(entry.path.removeprefix("/"), lambda request: HttpResponse()) for entry in ENTRIES]
only_pipeline = type("urls", (), {"urlpatterns": urlpatterns[:1]})


def actor(*roles: str) -> Actor:
    return Actor(
        kind="person",
        user_id=uuid4(),
        username="nia",
        display_name="Nia",
        tenant_id=uuid4(),
        tenant_slug="kestrel-pay",
        roles=roles,
        scopes=scopes_of(roles),
    )


def paths(*roles: str) -> list[str]:
    with override_settings(ROOT_URLCONF=__name__):
        return [entry.path for entry in navigation(actor(*roles), "/")]


def test_a_viewer_sees_everything_but_the_audit_log() -> None:
    assert paths("viewer") == ["/", "/approvals", "/promotions", "/releases", "/products", "/environments", "/policies"]


def test_an_auditor_sees_the_audit_log() -> None:
    assert "/audit" in paths("auditor")


def test_a_member_without_roles_sees_nothing() -> None:
    assert paths() == []


def test_a_page_that_this_version_does_not_have_is_not_shown() -> None:
    with override_settings(ROOT_URLCONF=only_pipeline):
        assert [entry.path for entry in navigation(actor("auditor"), "/")] == ["/"]


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/", {"/": "page"}),
        ("/promotions", {"/promotions": "page"}),
        ("/promotions/1042", {"/promotions": "true"}),
        ("/promotions-old", {}),
        ("/image-repositories", {"/products": "true"}),
        ("/proposals", {"/policies": "true"}),
        ("/proposals/1", {"/policies": "true"}),
        ("/proposals-old", {}),
        ("/reports/delivery", {"/": "true"}),
        ("/settings", {}),
    ],
)
def test_the_entry_of_the_page_is_marked(path: str, current: dict[str, str]) -> None:
    with override_settings(ROOT_URLCONF=__name__):
        entries = navigation(actor("viewer"), path)
    assert {entry.path: entry.current for entry in entries if entry.current} == current
