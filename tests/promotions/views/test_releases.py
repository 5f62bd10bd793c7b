"""/releases and below, and the releases that a request can be for."""

import re
from html import unescape

import pytest
from django.test import Client

from promotions.actions.releases import deprecate_release
from promotions.models import Promotion, Release
from tests.factories import make_person, make_ready_tenant
from tests.promotions.kestrel import Kestrel, client_of
from tests.promotions.views.pages import text


def test_a_release_with_a_repository_too_long_is_refused_and_not_cut(kestrel: Kestrel) -> None:
    components = f"api registry.example/{'r' * 300} sha256:{'ab' * 32}"
    typed = {"name": "cut-1", "product": "main", "components": components, "finalize": "yes"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    assert answer.status_code == 400
    assert "Line 1, image repository: This is too long: use at most 255 characters." in answer.content.decode()
    assert not Release.objects.filter(name="cut-1").exists()


def test_a_release_whose_name_is_taken_says_so_beside_the_name(kestrel: Kestrel) -> None:
    name = kestrel.release().name
    typed = {"name": name, "product": "main", "components": f"api registry.example/api sha256:{'ab' * 32}"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    shown = answer.content.decode()
    assert answer.status_code == 409
    assert f"There is a release named {name} already" in shown.partition('id="id_name_error"')[2].partition("</div>")[0]
    assert f"{typed['components']}</textarea>" in shown


def test_components_that_cannot_be_together_say_so_beside_them(kestrel: Kestrel) -> None:
    component = f"api registry.example/api sha256:{'ab' * 32}"
    typed = {"name": "twice-1", "product": "main", "components": f"{component}\n{component}"}
    answer = client_of(kestrel, "operator").post("/releases", typed)
    assert answer.status_code == 400
    beside = answer.content.decode().partition('id="id_components_error"')[2].partition("</div>")[0]
    assert "api" in beside
    assert not Release.objects.filter(name="twice-1").exists()


def test_what_cannot_be_done_with_a_release_is_said_on_its_page(kestrel: Kestrel) -> None:
    release = kestrel.release(finalize=False)
    answer = client_of(kestrel, "operator").post(f"/releases/{release.pk}/deprecate", {"reason": "A hole"})
    assert answer.status_code == 409
    told = answer.content.decode().partition('class="error-summary"')[2].partition("</div>")[0]
    assert "only a finalized release can be deprecated" in told


def test_a_reason_that_cannot_be_stored_does_not_deprecate(kestrel: Kestrel) -> None:
    release = kestrel.release()
    answer = client_of(kestrel, "operator").post(f"/releases/{release.pk}/deprecate", {"reason": "a hole\u202e"})
    assert answer.status_code == 400
    assert 'id="id_reason_error"' in answer.content.decode()
    release.refresh_from_db()
    assert release.status == "finalized"


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promotions.pages.releases.PAGE", 2)


def links(shown: str, *releases: Release) -> list[bool]:
    return [f"<bdi>{release.name}</bdi></a>" in shown for release in releases]


@pytest.mark.parametrize("path", ["/releases", "/promotions/new"])
def test_older_releases_are_pages_away(kestrel: Kestrel, small_pages: None, path: str) -> None:
    first, second, third = kestrel.release(), kestrel.release(), kestrel.release()
    client = client_of(kestrel, "requester")
    newest = text(client, path)
    assert links(newest, first, second, third) == [False, True, True]
    [older] = re.findall(r'rel="next" href="([^"]+)"', newest)
    page = text(client, path + unescape(older))
    assert links(page, first, second, third) == [True, False, False]
    [newer] = re.findall(r'rel="prev" href="([^"]+)"', page)
    assert links(text(client, path + unescape(newer)), first, second, third) == [False, True, True]


@pytest.mark.parametrize("path", ["/releases", "/promotions/new"])
def test_releases_are_found_by_a_part_of_their_name(kestrel: Kestrel, small_pages: None, path: str) -> None:
    named = [kestrel.release(name=f"Payments-{number}") for number in range(3)]
    other = kestrel.release()
    client = client_of(kestrel, "requester")
    shown = text(client, f"{path}?name=payMENTS")
    assert links(shown, *named, other) == [False, True, True, False]
    [older] = re.findall(r'rel="next" href="([^"]+)"', shown)
    assert links(text(client, path + unescape(older)), *named, other) == [True, False, False, False]
    assert re.search("No releases? (here|that matches)", text(client, f"{path}?name=nothing"))


def test_a_deprecated_release_is_offered_where_it_was_deployed_and_can_be_gone_back_to(kestrel: Kestrel) -> None:
    old, new, never = kestrel.release(), kestrel.release(), kestrel.release()
    for release in (old, new):
        kestrel.deploys(kestrel.ask(release, kestrel.dev))
    for release in (old, never):
        deprecate_release(release.pk, by=kestrel["builder"], reason="A hole", clock=kestrel.clock)
    client = client_of(kestrel, "requester")
    assert links(text(client, "/promotions/new"), old, new, never) == [True, True, False]
    assert f"/promotions/new?release={old.pk}" in text(client, f"/releases/{old.pk}")
    assert f"/promotions/new?release={never.pk}" not in text(client, f"/releases/{never.pk}")
    path = f"/promotions/new?release={old.pk}&target={kestrel.dev.pk}"
    assert client.post(path, {"reason": "The new one is broken"}).status_code == 302
    assert Promotion.objects.filter(release=old, is_rollback=True).exists()


def test_a_release_of_another_tenant_is_found_by_no_name(kestrel: Kestrel) -> None:
    release = kestrel.release()
    client = Client()
    client.force_login(make_person(make_ready_tenant("elsewhere"), "outsider", roles=["operator"]))
    for path in ("/releases", "/promotions/new"):
        assert links(text(client, f"{path}?name={release.name}"), release) == [False]
