from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from promotions.formats.reading import DocumentRefused, read_json
from promotions.models import Promotion
from promotions.packets.audit_heads import verify_log
from promotions.packets.verifying.audit_head import verify_here
from promotions.pages.audit import audit_row, document_says
from promotions.pages.forms import VerifyForm
from promotions.reading.findings import findings_shown
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import AUDIT_READ, EVIDENCE_READ
from stellapromote.audit.models import AuditEvent
from stellapromote.web.acting import acting

PAGE = 100


class AuditFilterForm(forms.Form):
    """Filters of the log, all in the address."""

    action = forms.CharField(
        label="Action", max_length=80, required=False, help_text="Or a part of it: role, approval.granted."
    )
    actor = forms.CharField(
        label="Who", max_length=400, required=False, help_text="A name, a username, a part of one, or an id."
    )
    promotion = forms.IntegerField(label="Promotion number", min_value=1, max_value=2**62, required=False)
    before = forms.UUIDField(required=False, widget=forms.HiddenInput)


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The audit events of the tenant, newest first."""
    by = acting(request)
    by.require(AUDIT_READ)
    return _log(request, by)


@require_POST
def verify_chain(request: HttpRequest) -> HttpResponse:
    """Seals what is recorded, walks the whole chain and says whether it holds."""
    by = acting(request)
    by.require(AUDIT_READ)
    return _log(request, by, verified=verify_log(by.tenant))


@require_http_methods(["GET", "HEAD", "POST"])
def verify_packet(request: HttpRequest) -> HttpResponse:
    """Checks a packet or envelope that a person sends, from here or from elsewhere; stores nothing."""
    by = acting(request)
    by.require(EVIDENCE_READ)
    form = VerifyForm(request.POST, request.FILES) if request.method == "POST" else VerifyForm()
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        file = form.cleaned_data["file"]
        text = file.read(1_000_000) if file else form.cleaned_data["text"].encode()
        try:
            document = read_json(text)
        except DocumentRefused as refused:
            form.add_error(None, f"{refused.message} ({refused.place})")
        else:
            result = verify_here(document, by.tenant)
            context |= {"result": result, "says": document_says(result)}
    return render(request, "audit/verify_packet.html", context, status=400 if form.errors else 200)


def _log(request: HttpRequest, by: Actor, **extra: Any) -> HttpResponse:
    form = AuditFilterForm(request.GET)
    valid = form.is_valid()
    rows = list(_filtered(by, form.cleaned_data)[: PAGE + 1]) if valid else []
    older = request.GET.copy()
    if len(rows) > PAGE:
        older["before"] = str(rows[PAGE - 1].pk)
    context = {
        "form": form,
        "findings": findings_shown(by),
        "rows": [audit_row(event, by) for event in rows[:PAGE]],
        "older": older.urlencode() if len(rows) > PAGE else "",
        **extra,
    }
    return render(request, "audit/audit.html", context, status=200 if valid else 400)


def _filtered(by: Actor, wanted: dict[str, Any]) -> QuerySet[AuditEvent]:
    rows = AuditEvent.objects.filter(tenant_id=by.tenant).select_related("link").order_by("-timestamp", "-pk")
    if wanted["action"]:
        rows = rows.filter(action__icontains=wanted["action"])
    if wanted["actor"]:
        rows = rows.filter(_is_actor(wanted["actor"]))
    if wanted["promotion"]:
        rows = rows.filter(
            promotion_id__in=Promotion.objects.filter(tenant_id=by.tenant, number=wanted["promotion"]).values("pk")
        )
    if wanted["before"]:
        last = AuditEvent.objects.filter(tenant_id=by.tenant, pk=wanted["before"]).first()
        if last is not None:
            rows = rows.filter(timestamp__lte=last.timestamp).exclude(timestamp=last.timestamp, pk__gte=last.pk)
    return rows


def _is_actor(text: str) -> Q:
    """By the name as it was at the event, "display name (username)", or by the id of the account."""
    try:
        return Q(actor_id=UUID(text))
    except ValueError:
        return Q(actor_name__icontains=text)
