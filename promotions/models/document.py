from collections.abc import Mapping
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5, Cast, Now

from policies.document_facts import Person
from promotions.models.blob import Blob
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.patterns import DIGEST


class Upload(models.Model):
    """An upload with its uploader, as they were then. ``attributed`` are the people whom it counts for, as ``[{id,
    username}]``: the person, or the owners of the machine and the issuer of its token (domain.md §5)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_by_username = models.CharField(max_length=127)
    uploaded_by_name = models.CharField(max_length=200)
    attributed = models.JSONField()
    token_id = models.UUIDField(null=True)
    uploaded_at = models.DateTimeField()

    class Meta:
        abstract = True


class EvidenceDocument(Upload):
    """A document about one artifact, bound to its digest (domain.md §6). Append-only by trigger and by role.

    ``content`` are the bytes as uploaded, of a file with several its own; ``parsed`` is the blob made of them.
    ``signer`` is the key id of the trusted key whose signature was verified at upload; each evaluation reads whether
    that key is trusted now. The same bytes count once for each uploader, with the people behind, and signer: an
    untrusted uploader cannot take the place of a trusted one.

    ``said_by`` is the signer or, unsigned, the uploader's id: a later document of theirs, unsigned for the same people,
    replaces this one in bundles. ``payload_digest`` is that of an envelope's signed payload; empty without one.
    ``first_uploaded_at`` is the first upload of that payload in the tenant, in any envelope: sending it again makes it
    no younger. ``reader`` is the version of the reader that read it; DocumentReading has the readings of newer ones.

    ``about`` is the manifest of one platform that it is about, where the artifact is an image index; empty: the
    artifact itself. ``scope``: how much of the artifact the document covers; one of another scope does not replace it.
    """

    class Kind(models.TextChoices):
        SBOM = "sbom", "SBOM"
        VULNERABILITIES = "vulnerabilities", "Vulnerability report"
        VEX = "vex", "VEX"
        ATTESTATION = "attestation"
        INDEX = "index", "Image index"

    artifact_digest = models.CharField(max_length=71)
    kind = models.CharField(max_length=15, choices=Kind.choices)
    format = models.CharField(max_length=20)
    media_type = models.CharField(max_length=100)
    content = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", db_column="digest")
    size = models.PositiveIntegerField()
    parsed = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", db_column="parsed_digest")
    summary = models.JSONField()
    producer = models.CharField(max_length=512)
    generated_at = models.DateTimeField(null=True)
    predicate_type = models.CharField(max_length=512, blank=True)
    signer = models.CharField(max_length=71, blank=True)
    said_by = models.CharField(max_length=71)
    payload_digest = models.CharField(max_length=71, blank=True, db_default="")
    first_uploaded_at = models.DateTimeField(db_default=Now())
    reader = models.SmallIntegerField(db_default=1)
    about = models.CharField(max_length=71, blank=True, db_default="")
    scope = models.CharField(max_length=71, blank=True, db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                *("tenant", "artifact_digest", "kind", "content", "uploaded_by", "signer"),
                MD5(Cast("attributed", models.TextField())),
                name="evidence_document_once",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["sbom", "vulnerabilities", "vex", "attestation", "index"]),
                name="evidence_document_kind",
            ),
            models.CheckConstraint(
                condition=Q(artifact_digest__regex=DIGEST), name="evidence_document_artifact_pattern"
            ),
            models.CheckConstraint(
                condition=Q(signer="") | Q(signer__regex=DIGEST), name="evidence_document_signer_pattern"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "artifact_digest", "-uploaded_at"], name="evidence_document_newest"),
            models.Index(fields=["tenant", "-uploaded_at", "-id"], name="evidence_document_by_time"),
            models.Index(
                fields=["tenant", "payload_digest", "uploaded_at"],
                condition=~Q(payload_digest=""),
                name="evidence_document_payload",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.content_id}"


class EvidenceBundle(models.Model):
    """A bundle that a tenant took: ``content`` is the blob that names its documents. Append-only.

    The same documents make the same bundle, so a tenant has each digest once. ``reader`` is the oldest version by which
    any of its documents had been read then; BundleReading records that all were read again.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    content = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", db_column="digest")
    taken_at = models.DateTimeField()
    reader = models.SmallIntegerField(db_default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "content"], name="evidence_bundle_once_per_tenant")]

    def __str__(self) -> str:
        return self.content_id


class FeedQuerySet(models.QuerySet["Feed"]):
    def newest_first(self) -> Self:
        """The first of a kind counts: it was uploaded last, with any date (docs/adr/0183)."""
        return self.order_by("-uploaded_at", "-id")


class Feed(Upload):
    """A tenant's feed: which CVEs are exploited (KEV), or how likely that is (EPSS). Of a kind the one counts that was
    uploaded last. ``published_at`` is its own date, at the latest its upload.

    Append-only. What of it concerns a decision is kept with the decision, so the entries of older feeds may go.
    """

    GUARDS: ClassVar[frozenset[str]] = frozenset({"entry_count"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "uploaded_by": "a mark",
        "uploaded_by_username": "a mark",
        "uploaded_by_name": "a mark",
        "attributed": "a mark",
        "token_id": "a mark",
        "uploaded_at": "a mark",
        "kind": "never changes",
        "content": "what its entries say",
        "published_at": "an older one counts only where it is stricter",
        "size": "a mark",
        "reader": "a mark",
    }

    class Kind(models.TextChoices):
        KEV = "kev"
        EPSS = "epss"

    kind = models.CharField(max_length=4, choices=Kind.choices)
    content = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+", db_column="digest")
    published_at = models.DateTimeField()
    size = models.PositiveIntegerField()
    entry_count = models.PositiveIntegerField()
    reader = models.SmallIntegerField(db_default=1)

    objects = FeedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["kev", "epss"]), name="feed_kind_known"),
        ]
        indexes = [models.Index(fields=["tenant", "kind", "-uploaded_at", "-id"], name="feed_last_uploaded")]

    def __str__(self) -> str:
        return f"{self.kind} {self.content_id}"


class FeedEntry(models.Model):
    """One CVE of the newest feed of a kind, to be looked up: ``listed_on`` in KEV, ``score`` in EPSS."""

    GUARDS: ClassVar[frozenset[str]] = frozenset({"cve", "listed_on"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "feed": "never changes",
        "score": "every day brings other ones",
    }

    pk = models.CompositePrimaryKey("feed_id", "cve")
    feed = models.ForeignKey(Feed, on_delete=models.PROTECT, related_name="entries", db_index=False)
    cve = models.CharField(max_length=64)
    listed_on = models.DateField(null=True)
    score = models.FloatField(null=True)

    def __str__(self) -> str:
        return self.cve


class TrustedKey(models.Model):
    """A public key whose signatures under documents a tenant trusts (domain.md §6). Only ever revoked, by trigger."""

    GUARDS: ClassVar[frozenset[str]] = frozenset({"name", "key_id"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "algorithm": "follows key_id",
        "pem": "follows key_id",
        "added_by": "a mark",
        "added_by_name": "a mark",
        "added_at": "a mark",
        "revoked_at": "less is trusted from then on",
        "revoked_by": "a mark",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=100)
    key_id = models.CharField(max_length=71)
    algorithm = models.CharField(max_length=20)
    pem = models.TextField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_by_name = models.CharField(max_length=200)
    added_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "key_id"], condition=Q(revoked_at=None), name="trusted_key_once_while_trusted"
            ),
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=Q(revoked_at=None), name="trusted_key_name_while_trusted"
            ),
            models.CheckConstraint(condition=Q(key_id__regex=DIGEST), name="trusted_key_id_pattern"),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by=None) | Q(revoked_at__isnull=False, revoked_by__isnull=False),
                name="trusted_key_revoked_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def people(attributed: Any) -> list[Person]:
    """``attributed`` as it stands in the facts: sorted, each once."""
    return sorted({each["id"]: each for each in attributed}.values(), key=lambda each: (each["username"], each["id"]))
