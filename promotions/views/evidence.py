"""Documents about artifacts on pages: upload on the release's page, a document, and /settings/evidence."""

from collections import Counter
from typing import Any, Final
from uuid import UUID

import orjson
from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from policies.models import Proposal
from policies.proposed_page import go_to_proposal
from promotions import evidence_inputs, queries
from promotions.actions.take_bundle import take_newest_evidence
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.actions.upload_evidence import Found, Kept, Upload, read_upload, upload_evidence
from promotions.actions.upload_feed import read_feed, upload_feed
from promotions.evidence_forms import DocumentForm, FeedForm, TrustedKeyForm
from promotions.evidence_page import SHOWN_FINDINGS, said, trusted_names
from promotions.models import Feed, TrustedKey
from promotions.views.releases import show_release
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, EVIDENCE_WRITE, POLICY_WRITE, TENANT_ADMIN
from stellapromote.audit.refusals import note_refused_request
from stellapromote.errors import ProductError
from stellapromote.identity.views.page import tabs_of
from stellapromote.web.acting import acting

SHOWN_LEFT_OUT: Final = 5


@require_POST
def upload(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """A document about a component of the release."""
    by = acting(request)
    by.require(EVIDENCE_WRITE)
    release = queries.release_of(by.tenant, release_id)
    form = DocumentForm(request.POST, request.FILES, components=queries.components_of(release.pk))
    if not form.is_valid():
        return show_release(request, release_id, by, status=400, document_form=form)
    typed = form.cleaned_data
    try:
        reading = read_upload(Upload(typed["artifact"], typed["kind"], typed["document"].read()), by=by)
        kept = upload_evidence(reading, by=by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        form.add_error("document", refusal.message)
        return show_release(request, release_id, by, status=refusal.status, document_form=form)
    signatures = {each.signature.found for each in (kept, *kept.others)}
    care = kept.left_out or signatures & {Found.UNKNOWN, Found.UNBOUND}
    (messages.warning if care else messages.success)(request, _told(kept))
    return redirect("release", release_id)


def _told(kept: Kept) -> str:
    """What became of an upload: how many documents are kept, whose word they are, and what of the file is left out."""
    every = (kept, *kept.others)
    number = len(every)
    told = ngettext(
        "The document is kept. Promotions that are open keep the documents they have.",
        "%(number)s documents are kept. Promotions that are open keep the documents they have.",
        number,
    ) % {"number": number}
    words = Counter(each.signature_in_words for each in every)
    if number == 1:
        told = f"{told} {kept.signature_in_words}"
    else:
        shares = (_("%(count)s of %(number)s:") % {"count": count, "number": number} for count in words.values())
        told = " ".join([told, *(f"{share} {sentence}" for share, sentence in zip(shares, words, strict=True))])
    if kept.left_out:
        shown = "; ".join(f"{each['place']}: {each['reason']}" for each in kept.left_out[:SHOWN_LEFT_OUT])
        more = "; …" if len(kept.left_out) > SHOWN_LEFT_OUT else ""
        left_out = _("Left out of the file: %(number)s.") % {"number": len(kept.left_out)}
        told = f"{told} {left_out} {shown}{more}"
    return told


@require_safe
def document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """One document, and what was read in it."""
    by = acting(request)
    by.require(EVIDENCE_READ)
    found = evidence_inputs.document_of(by.tenant, document_id)
    reading = evidence_inputs.reading_of(found)
    newest = found if reading is None or reading.parsed is None else reading
    parsed = orjson.loads(bytes(newest.parsed.content))  # type: ignore[union-attr]
    context = {
        "document": found,
        "newest": newest,
        "refused": "" if reading is None else reading.refused,
        "says": said(newest.summary),
        "key": None if reading is not None and not reading.binds else trusted_names(by.tenant).get(found.signer),
        "findings": parsed.get("findings", [])[:SHOWN_FINDINGS],
        "statements": parsed.get("statements", [])[:SHOWN_FINDINGS],
        "components": parsed.get("components", [])[:SHOWN_FINDINGS],
        "shown": SHOWN_FINDINGS,
    }
    return render(request, "evidence/document.html", context)


@require_POST
def take(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """Binds the promotion to the newest documents."""
    by = acting(request)
    queries.existing_promotion(by.tenant, promotion_id)
    try:
        take_newest_evidence(promotion_id, by=by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("The promotion was judged again with the newest documents."))
    return redirect("promotion", promotion_id)


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    """Trusted keys and feeds of the tenant."""
    return _settings(request, _administrator(request))


@require_POST
def add_key(request: HttpRequest) -> HttpResponse:
    by = _administrator(request)
    form = TrustedKeyForm(request.POST)
    if not form.is_valid():
        return _settings(request, by, status=400, key_form=form)
    try:
        key = trust_key(form.cleaned_data["name"], form.cleaned_data["pem"], by=by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        return _settings(request, by, status=refusal.status, key_form=form, refusal=refusal)
    if isinstance(key, Proposal):
        return go_to_proposal(request, key)
    messages.success(request, _("Documents that this key signs are trusted from now on."))
    return redirect("settings_evidence")


@require_POST
def end_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    by = _administrator(request)
    try:
        revoke_key(key_id, by=by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        return _settings(request, by, status=refusal.status, refusal=refusal)
    messages.success(request, _("The key is trusted no more, nor is what it signed."))
    return redirect("settings_evidence")


@require_POST
def add_feed(request: HttpRequest) -> HttpResponse:
    by = _administrator(request)
    by.require(POLICY_WRITE)
    form = FeedForm(request.POST, request.FILES)
    if not form.is_valid():
        return _settings(request, by, status=400, feed_form=form)
    try:
        reading = read_feed(form.cleaned_data["kind"], form.cleaned_data["document"].read(), by=by)
        kept = upload_feed(reading, by=by)
    except ProductError as refusal:
        note_refused_request(request, refusal.code)
        return _settings(request, by, status=refusal.status, feed_form=form, refusal=refusal)
    if isinstance(kept, Proposal):
        return go_to_proposal(request, kept)
    messages.success(request, _("The feed counts from now on: open promotions are judged again."))
    return redirect("settings_evidence")


def _administrator(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(TENANT_ADMIN)
    return by


def _settings(request: HttpRequest, by: Actor, *, status: int = 200, **extra: Any) -> HttpResponse:
    feeds = Feed.objects.filter(tenant_id=by.tenant).order_by("kind", "-published_at", "-id").distinct("kind")
    context = {
        "keys": TrustedKey.objects.filter(tenant_id=by.tenant).order_by(
            F("revoked_at").desc(nulls_first=True), "name", "-added_at"
        ),
        "feeds": feeds,
        "key_form": TrustedKeyForm(),
        "feed_form": FeedForm(),
        "may_upload": by.has(POLICY_WRITE),
        "tabs": tabs_of(by),
        "tab": "evidence",
        **extra,
    }
    return render(request, "evidence/settings.html", context, status=status)
