"""Every model in Django admin: registered by the two bases; nobody adds, changes or deletes past the actions."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from policies.models import ApprovalPolicy
from promotions.actions.take_bundle import take_bundle
from promotions.actions.trust_key import trust_key
from stellapromote.audit.models import AuditEvent
from stellapromote.web.admin_site import ActionAdmin, ReadOnlyAdmin
from stellapromote.web.times import absolute_words
from tests.factories import actor_of, make_person, make_ready_tenant
from tests.kept import kept
from tests.promotions.formats.samples import ARTIFACT, KEV, cyclonedx
from tests.promotions.kestrel import Kestrel, client_of, make_kestrel
from tests.promotions.uploads import Signer, feed, uploaded

pytestmark = pytest.mark.slow

REGISTERED = sorted(admin.site._registry.items(), key=lambda pair: pair[0]._meta.label)
NAMES = [model._meta.label for model, _ in REGISTERED]


def test_models_are_registered_through_the_two_bases_only() -> None:
    assert REGISTERED
    assert [
        label
        for (_, each), label in zip(REGISTERED, NAMES, strict=True)
        if not isinstance(each, ReadOnlyAdmin | ActionAdmin)
    ] == []


@pytest.mark.parametrize("label", ["promotions.Promotion", "promotions.DecisionRecord", "promotions.EvidencePacket",
                                   "promotions.Vote", "audit.AuditEvent"])  # fmt: skip
def test_what_was_decided_is_there_to_look_at_only(label: str) -> None:
    assert isinstance(admin.site._registry[apps.get_model(label)], ReadOnlyAdmin)


@pytest.fixture
def kestrel(db: None) -> Kestrel:
    return make_all()


@kept
def make_all() -> Kestrel:
    kestrel = make_kestrel()
    uploaded(kestrel["operator"], ARTIFACT, "sbom", cyclonedx(), clock=kestrel.clock)
    take_bundle([ARTIFACT], by=kestrel["operator"], clock=kestrel.clock)
    feed(kestrel["admin"], "kev", {**KEV, "dateReleased": "2026-10-01T00:00:00Z"}, clock=kestrel.clock)
    trust_key("ci", Signer().pem, by=kestrel["admin"], clock=kestrel.clock)
    kestrel.deploys(kestrel.approved_for_production())
    both = make_person(kestrel.tenant, "both", roles=["admin", "auditor"], clock=kestrel.clock)
    kestrel.actors["both"] = actor_of(both, kestrel.tenant)
    return kestrel


def visible(registered: Any, kestrel: Kestrel) -> Any:
    """The rows that an administrator of the tenant who is an auditor too may see."""
    request = RequestFactory().get("/admin/")
    request.actor = kestrel["both"]  # type: ignore[attr-defined]
    return registered.get_queryset(request)


def addresses(model: Any, pk: Any) -> dict[str, str]:
    base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    return {
        "add": reverse(f"{base}_add"),
        "change": reverse(f"{base}_change", args=[pk]),
        "delete": reverse(f"{base}_delete", args=[pk]),
        "list": reverse(f"{base}_changelist"),
    }


def test_an_administrator_and_auditor_sees_every_list_and_deletes_nothing(kestrel: Kestrel) -> None:
    client = client_of(kestrel, "both")
    for model, registered in REGISTERED:
        row = visible(registered, kestrel).first()
        paths = addresses(model, row.pk if row is not None else "0197a000-0000-7000-8000-000000000000")
        assert client.get(paths["list"]).status_code == 200, model
        before = model._default_manager.count()
        bulk = {"action": "delete_selected", "_selected_action": [str(row.pk) if row else "x"], "post": "yes"}
        assert client.post(paths["list"], bulk).status_code in (200, 302, 403), model
        assert client.post(paths["delete"], {"post": "yes"}).status_code in (302, 403, 404), model
        if isinstance(registered, ReadOnlyAdmin):
            assert client.post(paths["add"], {}).status_code == 403, model
            if row is not None:
                assert client.get(paths["change"]).status_code == 200, model
                assert client.post(paths["change"], {}).status_code == 403, model
        assert model._default_manager.count() == before, model


AUDIT_LOG = "/admin/audit/"


def audit_log(kestrel: Kestrel, who: str) -> dict[str, int]:
    """What the pages that show the audit log in Django admin answer to this person."""
    event = AuditEvent.objects.filter(tenant=kestrel.tenant).latest("timestamp")
    pages = ("", "auditevent/", f"auditevent/{event.pk}/change/", f"auditevent/{event.pk}/history/")
    client = client_of(kestrel, who)
    return {page: client.get(f"{AUDIT_LOG}{page}").status_code for page in pages}


def test_being_an_administrator_shows_no_audit_log(kestrel: Kestrel) -> None:
    """product.md, Roles: it is the auditor who reads it."""
    assert set(audit_log(kestrel, "admin").values()) <= {403, 404}
    assert AUDIT_LOG not in client_of(kestrel, "admin").get("/admin/").text


def test_an_administrator_who_is_an_auditor_too_reads_the_audit_log(kestrel: Kestrel) -> None:
    assert set(audit_log(kestrel, "both").values()) == {200}
    assert AUDIT_LOG in client_of(kestrel, "both").get("/admin/").text


@pytest.mark.parametrize("who", ["requester", "approver", "operator", "auditor", "viewer"])
def test_django_admin_is_closed_to_everybody_else(kestrel: Kestrel, who: str) -> None:
    client = client_of(kestrel, who)
    for model, _ in REGISTERED:
        answer = client.get(addresses(model, "0197a000-0000-7000-8000-000000000000")["list"])
        assert answer.status_code in (302, 403, 404), (model, who)


def test_an_administrator_of_another_tenant_sees_none_of_it(kestrel: Kestrel) -> None:
    other = make_ready_tenant("elsewhere")
    stranger = make_person(other, "stranger", roles=["admin"])
    client = Client()
    client.force_login(stranger)
    for model, registered in REGISTERED:
        row = visible(registered, kestrel).first()
        if row is not None:
            assert client.get(addresses(model, row.pk)["change"]).status_code in (302, 403, 404), model


def test_admin_says_instants_as_the_pages_do_with_their_zone(kestrel: Kestrel) -> None:
    page = client_of(kestrel, "admin").get(reverse("admin:policies_approvalpolicy_changelist")).content.decode()
    assert absolute_words(ApprovalPolicy.objects.get().updated_at) in page
