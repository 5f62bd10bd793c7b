"""Documents about artifacts, bundles of them, feeds and trusted keys (domain.md §6; contract.md, Evidence inputs)."""

import re
from dataclasses import replace
from typing import Any

from django.http import Http404
from rest_framework.decorators import action

from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from promotions.actions.take_bundle import take_bundle, take_newest_documents
from promotions.actions.trust_key import revoke_key, trust_key
from promotions.actions.upload_document import Upload, UploadReading, read_upload, upload_document
from promotions.actions.upload_feed import FeedUpload, read_feed, upload_feed
from promotions.api import document_resources as resources
from promotions.api.promotion_resources import PromotionResource
from promotions.api.promotion_schema import UploadSchema
from promotions.api.promotions import promotion_answer
from promotions.api.upload_body import UploadView
from promotions.models import EvidenceDocument, Feed, TrustedKey
from promotions.reading import documents as document_reading
from promotions.reading.queries import existing_promotion
from stellapromote.accounts.scopes import (
    EVIDENCE_READ,
    EVIDENCE_WRITE,
    POLICY_WRITE,
    PROMOTION_APPROVE,
    PROMOTION_REQUEST,
    TENANT_ADMIN,
)
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import choice, digest
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Invalid

_MEDIA_TYPE = re.compile(
    r"application/(?:[a-z0-9.+-]+\+)?(?:json|gzip|octet-stream)|text/csv|text/plain"
    r"|application/(?:x-gzip|x-ndjson|jsonl)"
)
_READING = ("EVD_INVALID_DOCUMENT", "EVD_DIGEST_MISMATCH")


class DocumentUploadViewSet(UploadView, ApiViewSet):
    """Documents about artifacts, bound to their digests."""

    schema = UploadSchema()
    tag = "Evidence inputs"
    prepared = frozenset({"create"})
    lists = frozenset({"parents"})
    scopes = {
        "list": EVIDENCE_READ,
        "create": EVIDENCE_WRITE,
        "retrieve": EVIDENCE_READ,
        "snapshot": EVIDENCE_WRITE,
        "score": EVIDENCE_READ,
    }
    bodies = {"create": resources.NewEvidence, "snapshot": resources.Artifacts}
    parameters = {
        "list": (
            *PAGING,
            digest("artifact_digest", "Documents about this artifact."),
            choice("kind", EvidenceDocument.Kind.values, repeatable=True),
        ),
        "score": (replace(digest("artifact_id", "The artifact's digest."), required=True),),
    }
    answers = {
        "list": Answer(resources.DocumentResource, paged=True),
        "create": Answer(resources.UploadedFile, status=201),
        "retrieve": Answer(resources.BundleResource),
        "snapshot": Answer(resources.BundleResource, status=201),
        "score": Answer(resources.ScoreResource),
    }
    refusals = {"create": (*_READING, "EVD_TOO_MANY_DOCUMENTS", "RES_DUPLICATE"), "snapshot": ("EVD_NO_DOCUMENTS",)}

    reading: UploadReading

    def list(self, request: ApiRequest) -> ApiResponse:
        """Documents, newest first."""
        found = document_reading.documents_of_tenant(request.actor.tenant)
        if "artifact_digest" in self.query:
            found = found.filter(artifact_digest=self.query["artifact_digest"])
        if "kind" in self.query:
            found = found.filter(kind__in=self.query["kind"])
        return self.page(found, present=resources.document, order=("-uploaded_at", "-id"))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Upload a document about an artifact

        As JSON with `document` or `documentBase64`, or as multipart/form-data with the file `document`. The same
        document again answers with the one that is there. `signature` says whether a trusted key signed it, and what
        follows from that. Of a file with several envelopes, one on each line or as GitHub answers with them, all that
        are of the kind are kept or none: the first is answered, then `others`; `leftOut` names the rest. Promotions
        that are open keep the documents they have.
        """
        stored = upload_document(self.reading, by=request.actor, clock=DATABASE_CLOCK)
        return ApiResponse(resources.uploaded(stored), status=201)

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One bundle with the documents it names."""
        return ApiResponse(resources.bundle(document_reading.bundle_of(request.actor.tenant, pk)))

    @action(detail=False, methods=["post"])
    def snapshot(self, request: ApiRequest) -> ApiResponse:
        """Take the newest documents of some artifacts as a bundle

        The same documents, sent by the same people at the same times, are the same bundle; `documentsDigest` is that of
        the documents alone.
        """
        bundle = take_bundle(self.body["artifact_digests"], by=request.actor, clock=DATABASE_CLOCK)
        return ApiResponse(resources.bundle(document_reading.bundle_of(request.actor.tenant, bundle.pk)), status=201)

    @action(detail=False)
    def score(self, request: ApiRequest) -> ApiResponse:
        """The evidence score of an artifact."""
        return ApiResponse(document_reading.score(request.actor.tenant, self.query["artifact_id"]))

    def resource(self) -> dict[str, Any]:
        return resources.bundle(document_reading.bundle_of(self.request.actor.tenant, self.kwargs["pk"]))

    def prepare(self) -> None:
        given = self.body
        upload = Upload(
            given["artifact_digest"],
            given["kind"],
            given["content"],
            _media_type(given),
            parents=tuple(given.get("parents", ())),
        )
        self.reading = read_upload(upload, by=self.request.actor)


class DocumentViewSet(ApiViewSet):
    """One document."""

    tag = "Evidence inputs"
    scopes = {"retrieve": EVIDENCE_READ, "content": EVIDENCE_READ}
    answers = {"retrieve": Answer(resources.DocumentDetail), "content": Answer()}

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """A document and what was read in it

        By the newest version of the readers that has read it.
        """
        return ApiResponse(resources.detail(document_reading.document_of(request.actor.tenant, pk)))

    @action(detail=True)
    def content(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """The document, byte for byte as it is stored."""
        found = document_reading.document_of(request.actor.tenant, pk)
        return ApiResponse(bytes(found.content.content))

    def resource(self) -> dict[str, Any]:
        return resources.document(document_reading.document_of(self.request.actor.tenant, self.kwargs["pk"]))


class FeedViewSet(UploadView, ApiViewSet):
    """Feeds of the tenant: known exploited vulnerabilities (kev), and how likely exploitation is (epss)."""

    schema = UploadSchema()
    tag = "Evidence inputs"
    prepared = frozenset({"create"})
    scopes = {"list": EVIDENCE_READ, "create": POLICY_WRITE}
    bodies = {"create": resources.NewFeed}
    parameters = {"list": (*PAGING, choice("kind", Feed.Kind.values, repeatable=True))}
    answers = {
        "list": Answer(resources.FeedResource, paged=True),
        "create": Answer(resources.FeedResource, status=201),
    }
    alternatives = {"create": PROPOSED}
    refusals = {"create": ("EVD_INVALID_DOCUMENT", "RES_STATE_CONFLICT", "POL_INVALID")}

    reading: FeedUpload

    def list(self, request: ApiRequest) -> ApiResponse:
        """Feeds, the newest first: the first of a kind is the one that counts."""
        found = Feed.objects.filter(tenant_id=request.actor.tenant)
        if "kind" in self.query:
            found = found.filter(kind__in=self.query["kind"])
        return self.page(found, present=resources.feed, order=("-uploaded_at", "-id"))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Upload a feed

        It counts at once: open promotions are judged again. One with an older date than the one that is there is
        refused, unless it has all that the other has, listed as early and scored as high, and more. A KEV catalogue
        that lists less than the one before is stored as a proposal where a protected environment asks for it. What it
        adds counts at once, also of one with an older date: the feed that counts then has the entries of both.
        """
        stored = upload_feed(self.reading, by=request.actor, clock=DATABASE_CLOCK)
        return (
            proposed(stored) if isinstance(stored, Proposal) else ApiResponse(resources.feed(stored.feed), status=201)
        )

    def prepare(self) -> None:
        _media_type(self.body)
        self.reading = read_feed(self.body["kind"], self.body["content"], by=self.request.actor)


class TrustedKeyViewSet(ApiViewSet):
    """Keys whose signatures under documents the tenant trusts."""

    tag = "Evidence inputs"
    scopes = {"list": EVIDENCE_READ, "create": TENANT_ADMIN, "retrieve": EVIDENCE_READ, "destroy": TENANT_ADMIN}
    bodies = {"create": resources.NewTrustedKey}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(resources.TrustedKeyResource, paged=True),
        "create": Answer(resources.TrustedKeyResource, status=201),
        "retrieve": Answer(resources.TrustedKeyResource),
        "destroy": Answer(resources.TrustedKeyResource),
    }
    alternatives = {"create": PROPOSED}
    refusals = {"create": ("RES_DUPLICATE", "POL_INVALID"), "destroy": ("RES_STATE_CONFLICT", "POL_INVALID")}
    conditional = frozenset()

    def list(self, request: ApiRequest) -> ApiResponse:
        """Keys, revoked ones included, newest first."""
        found = TrustedKey.objects.filter(tenant_id=request.actor.tenant)
        return self.page(found, present=resources.trusted_key, order=("-added_at", "-id"))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Trust a public key

        Documents that are uploaded from now on and signed by it count as signed. Listed as a weakening edit, and stored
        as a proposal where a gate of a protected environment reads it.
        """
        key = trust_key(self.body["name"], self.body["pem"], by=request.actor, clock=DATABASE_CLOCK)
        return proposed(key) if isinstance(key, Proposal) else ApiResponse(resources.trusted_key(key), status=201)

    def retrieve(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """One key."""
        return ApiResponse(self.resource())

    def destroy(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Revoke a key

        It stays listed. Documents that it signed before count as unsigned from now on.
        """
        return ApiResponse(resources.trusted_key(revoke_key(pk, by=request.actor, clock=DATABASE_CLOCK)))

    def resource(self) -> dict[str, Any]:
        found = TrustedKey.objects.filter(tenant_id=self.request.actor.tenant, pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404("No such key.")
        return resources.trusted_key(found)


class PromotionBundleViewSet(ApiViewSet):
    """The documents that a promotion is judged with."""

    tag = "Promotions"
    scopes = {"evidence_bundle": (PROMOTION_REQUEST, PROMOTION_APPROVE, TENANT_ADMIN)}
    bodies = {"evidence_bundle": NoBody}
    answers = {"evidence_bundle": Answer(PromotionResource, etag=True)}
    refusals = {"evidence_bundle": ("RES_STATE_CONFLICT", "EVD_NO_DOCUMENTS", "SYS_CLOCK_SKEW")}

    @action(detail=True, methods=["post"], url_path="evidence-bundle")
    def evidence_bundle(self, request: ApiRequest, pk: Any) -> ApiResponse:
        """Take the newest documents of the components

        If they differ from those it had, what is voted on has changed: votes become void.
        """
        return promotion_answer(take_newest_documents(pk, by=request.actor, clock=DATABASE_CLOCK), request.actor)

    def resource(self) -> dict[str, Any]:
        existing_promotion(self.request.actor.tenant, self.kwargs["pk"])
        return {}


def _media_type(given: dict[str, Any]) -> str:
    """The media type that the body names. Invalid (415) for what no document has."""
    named: str = given.get("media_type", "application/json").partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(named):
        raise Invalid("Documents are JSON, or CSV for a feed.", code="VAL_UNSUPPORTED_MEDIA_TYPE")
    return named
