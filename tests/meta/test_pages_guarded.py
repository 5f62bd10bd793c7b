"""Every page: a stranger is sent to sign in, and another tenant's ids do not exist (product.md, Roles)."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent
from tests.factories import make_person, make_ready_tenant
from tests.promotions.kestrel import Kestrel, make_kestrel

# Open to everybody, each with its reason.
PUBLIC = {
    "account_login": "where people sign in",
    "account_logout": "ends a session; without one it leads to the sign-in",
    "set_theme": "light or dark is chosen before signing in, too",
    "admin_without_slash": "leads to the admin, which asks for the sign-in",
    "command_line": "CI jobs fetch the program before they have a token, and it is the same for everybody",
    "command_line_checksum": "as the program",
    "favicon": "browsers ask for it beside every page, that of the sign-in included",
    "settings_first_password": "a one-time link is the credential",
    "first_password": "a one-time link is the credential",
    "forgotten_password": "a person without a password asks for a link",
    "invitation": "a one-time link is the credential",
    "healthz": "for load balancers",
    "readyz": "for load balancers",
    "metrics": "refuses all but monitoring, by network or by a token of the installation",
    "health": "for load balancers",
    "ready": "for load balancers",
}
OTHERS = {"slug": "nobody", "str": "nobody", "int": "1"}
ELSEWHERE = ("api", "admin/", "static/")


def patterns(resolver: URLResolver, before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for each in resolver.url_patterns:
        route = before + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from patterns(each, route)
        elif not route.lstrip("^").startswith(ELSEWHERE) and "accounts/" not in route:
            yield route, each


ROUTES = sorted({(route, each.name or "") for route, each in patterns(get_resolver())})


def path_for(route: str, ids: dict[str, UUID | str]) -> str:
    parts = []
    for part in route.split("/"):
        if part.startswith("<"):
            kind, _, name = part.strip("<>").rpartition(":")
            parts.append(str(ids.get(name, OTHERS.get(kind, "0197a000-0000-7000-8000-000000000000"))))
        else:
            parts.append(part)
    return "/" + "/".join(parts)


def test_the_sweep_finds_the_pages() -> None:
    names = {name for _, name in ROUTES}
    assert {"board", "approvals", "promotion", "promotion_approve", "releases", "audit", "environments"} <= names


@pytest.mark.django_db
@pytest.mark.parametrize(("route", "name"), [each for each in ROUTES if each[1] not in PUBLIC])
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_sent_to_sign_in(route: str, name: str, method: str) -> None:
    answer = getattr(Client(), method)(path_for(route, {}))
    assert answer.status_code in (302, 405), answer.status_code
    if answer.status_code == 302:
        assert "/login" in answer["Location"] or answer["Location"].startswith("/accounts/")


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_kestrel()


@pytest.mark.slow
def test_another_tenants_ids_do_not_exist_on_any_page(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    other = make_ready_tenant("elsewhere")
    outsider = make_person(other, "outsider", roles=["admin", "operator", "approver", "auditor"])
    client = Client()
    client.force_login(User.objects.get(pk=outsider.pk))
    ids: dict[str, UUID | str] = {
        "promotion_id": promotion.pk,
        "release_id": promotion.release_id,
        "environment_id": promotion.target_environment_id,
        "name": "two-person",
        "user_id": kestrel["requester"].account,
    }
    before = snapshot(promotion.pk)
    found = 0
    for route, name in ROUTES:
        if not any(f":{each}>" in route for each in ("promotion_id", "release_id", "environment_id", "user_id")):
            continue
        for method in ("get", "post"):
            answer = getattr(client, method)(path_for(route, ids), follow=method == "get")
            assert answer.status_code in (400, 404, 405), (name, method, answer.status_code)
            assert promotion.release.name not in answer.content.decode(), name
            found += answer.status_code == 404
    assert found >= 10
    assert snapshot(promotion.pk) == before


@pytest.mark.slow
def test_whatever_a_page_refuses_is_in_the_audit_log(kestrel: Kestrel) -> None:
    promotion = kestrel.waits_for_production()
    client = Client()
    client.force_login(User.objects.get(pk=kestrel["viewer"].account))
    ids: dict[str, UUID | str] = {
        "promotion_id": promotion.pk,
        "release_id": promotion.release_id,
        "environment_id": promotion.target_environment_id,
        "user_id": kestrel["requester"].account,
    }
    typed = {"subject_digest": promotion.subject_digest, "reason": "Because", "comment": "", "role": "viewer"}
    refused = 0
    for route, _ in ROUTES:
        path = path_for(route, ids)
        if client.post(path, typed).status_code == 403:
            refused += 1
            assert AuditEvent.objects.filter(action="permission.refused", resource_id=path).exists(), path
    assert refused >= 10


def snapshot(promotion_id: UUID) -> tuple[str, int]:
    from promotions.models import Promotion

    row = Promotion.objects.get(pk=promotion_id)
    return row.status, row.version
