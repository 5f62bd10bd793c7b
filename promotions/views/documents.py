"""Documents about artifacts on pages: upload on the release's page, a document, and /settings/evidence."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import orjson
from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from policies.proposed_page import unless_proposed
from promotions.actions.take_bundle import take_newest_documents
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.actions.upload_document import SignatureState, StoredDocument, Upload, read_upload, upload_document
from promotions.actions.upload_feed import read_feed, upload_feed
from promotions.models import Feed, TrustedKey
from promotions.pages.document_forms import DocumentForm, FeedForm, TrustedKeyForm
from promotions.pages.documents import SHOWN_FINDINGS, summary_with_counts, trusted_names
from promotions.reading import documents, queries
from promotions.views.promotion import show_promotion
from promotions.views.releases import show_release
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_READ, EVIDENCE_WRITE, POLICY_WRITE, TENANT_ADMIN
from stellapromote.identity.views.page import tabs_of
from stellapromote.web.acting import acting, carry_out
from stellapromote.web.htmx import go_to

SHOWN_LEFT_OUT: Final = 5


@require_POST
def upload(request: HttpRequest, release_id: UUID) -> HttpResponse:
    """A document about a component of the release."""
    by = acting(request)
    by.require(EVIDENCE_WRITE)
    release = queries.release_of(by.tenant, release_id)
    form = DocumentForm(request.POST, request.FILES, components=queries.components_of(release.pk))

    def act() -> StoredDocument:
        typed = form.cleaned_data
        reading = read_upload(Upload(typed["artifact"], typed["kind"], typed["document"].read()), by=by)
        return upload_document(reading, by=by)

    def uploaded(stored: StoredDocument) -> HttpResponse:
        signatures = {each.signature.found for each in (stored, *stored.others)}
        care = stored.left_out or signatures & {SignatureState.UNKNOWN, SignatureState.UNBOUND}
        (messages.warning if care else messages.success)(request, _upload_message(stored))
        return go_to(request, reverse("release", args=[release_id]))

    return carry_out(
        request,
        act,
        form=form,
        again=lambda refusal: show_release(request, release_id, refusal=refusal, document_form=form),
        then=uploaded,
    )


def _upload_message(stored: StoredDocument) -> str:
    """The sentences after an upload: the number of stored documents, the people they count for, and the left-out
    parts."""
    every = (stored, *stored.others)
    number = len(every)
    message = "The document is kept." if number == 1 else f"{number} documents are kept."
    message = f"{message} Promotions that are open keep the documents they have."
    words = Counter(each.signature_in_words for each in every)
    if number == 1:
        message = f"{message} {stored.signature_in_words}"
    else:
        shares = (f"{count} of {number}:" for count in words.values())
        message = " ".join([message, *(f"{share} {sentence}" for share, sentence in zip(shares, words, strict=True))])
    if stored.left_out:
        shown = "; ".join(f"{each['place']}: {each['reason']}" for each in stored.left_out[:SHOWN_LEFT_OUT])
        more = "; …" if len(stored.left_out) > SHOWN_LEFT_OUT else ""
        left_out = f"Left out of the file: {len(stored.left_out)}."
        message = f"{message} {left_out} {shown}{more}"
    return message


@require_safe
def document(request: HttpRequest, document_id: UUID) -> HttpResponse:
    """One document, and what was read in it."""
    by = acting(request)
    by.require(EVIDENCE_READ)
    found = documents.document_of(by.tenant, document_id)
    reading = documents.reading_of(found)
    newest = found if reading is None or reading.parsed is None else reading
    assert newest.parsed is not None
    parsed = orjson.loads(bytes(newest.parsed.content))
    context = {
        "document": found,
        "newest": newest,
        "refused": "" if reading is None else reading.refused,
        "summary": summary_with_counts(newest.summary),
        "key": None if reading is not None and not reading.binds else trusted_names(by.tenant).get(found.signer),
        "findings": parsed.get("findings", [])[:SHOWN_FINDINGS],
        "statements": parsed.get("statements", [])[:SHOWN_FINDINGS],
        "components": parsed.get("components", [])[:SHOWN_FINDINGS],
        "shown": SHOWN_FINDINGS,
    }
    return render(request, "documents/document.html", context)


@require_POST
def take(request: HttpRequest, promotion_id: UUID) -> HttpResponse:
    """Binds the promotion to the newest documents."""
    by = acting(request)
    return carry_out(
        request,
        lambda: take_newest_documents(promotion_id, by=by),
        again=lambda refusal: show_promotion(request, promotion_id, refusal),
        then=lambda _: go_to(
            request,
            reverse("promotion", args=[promotion_id]),
            done="The promotion was judged again with the newest documents.",
        ),
    )


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    """Trusted keys and feeds of the tenant."""
    return _settings(request)


@require_POST
def add_key(request: HttpRequest) -> HttpResponse:
    by = _administrator(request)
    form = TrustedKeyForm(request.POST)
    return carry_out(
        request,
        lambda: trust_key(form.cleaned_data["name"], form.cleaned_data["pem"], by=by),
        form=form,
        again=lambda refusal: _settings(request, refusal=refusal, key_form=form),
        then=_done(request, "Documents that this key signs are trusted from now on."),
    )


@require_POST
def end_key(request: HttpRequest, key_id: UUID) -> HttpResponse:
    by = _administrator(request)
    return carry_out(
        request,
        lambda: revoke_key(key_id, by=by),
        again=lambda refusal: _settings(request, refusal=refusal),
        then=_done(request, "The key is trusted no more, nor is what it signed."),
    )


@require_POST
def add_feed(request: HttpRequest) -> HttpResponse:
    by = _administrator(request)
    by.require(POLICY_WRITE)
    form = FeedForm(request.POST, request.FILES)
    return carry_out(
        request,
        lambda: upload_feed(read_feed(form.cleaned_data["kind"], form.cleaned_data["document"].read(), by=by), by=by),
        form=form,
        again=lambda refusal: _settings(request, refusal=refusal, feed_form=form),
        then=_done(request, "The feed counts from now on: open promotions are judged again."),
    )


def _done(request: HttpRequest, done: str) -> Callable[[Any], HttpResponse]:
    """Back to the settings, which say what was done."""
    return unless_proposed(request, lambda _: go_to(request, reverse("settings_evidence"), done=done))


def _administrator(request: HttpRequest) -> Actor:
    by = acting(request)
    by.require(TENANT_ADMIN)
    return by


def _settings(request: HttpRequest, **shown_again: Any) -> HttpResponse:
    by = _administrator(request)
    feeds = Feed.objects.filter(tenant_id=by.tenant).order_by("kind", "-uploaded_at", "-id").distinct("kind")
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
        **shown_again,
    }
    return render(request, "documents/settings.html", context)
