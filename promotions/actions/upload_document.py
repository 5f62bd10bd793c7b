import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db import connection
from django.db.models import Min

from promotions.documents import blobs
from promotions.documents.bundles import reached_limit
from promotions.documents.document_readings import Answer, read_again, store_reading
from promotions.documents.newest_documents import manifests_of, newest, platforms_of
from promotions.documents.trusted_signatures import SignatureWrong, TrustedPublicKey, public_key, signer_of
from promotions.documents.uploading import (
    DigestMismatch,
    InvalidDocument,
    UploadsBusy,
    read_in_isolation,
    refusal,
    signed_items,
)
from promotions.formats.document import READER
from promotions.formats.envelopes import Envelope
from promotions.judging.attribution import people_behind
from promotions.judging.audited_rows import audited_document
from promotions.models import EvidenceDocument, TrustedKey
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import EVIDENCE_WRITE
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, parse_rfc3339
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import Conflict, FieldError, Invalid, RuleViolation
from stellapromote.ids import new_id
from stellapromote.patterns import DIGEST
from stellapromote.signing.canonical_json import canonical_bytes, digest_bytes
from stellapromote.transactions import transactional

Keys = Mapping[str, tuple[TrustedPublicKey, str]]

UNKNOWN: Final = "unknown"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('evidence ' || %s || ' ' || %s, 0))"
EARLY: Final = timedelta(minutes=10)
"""The most that the clock of a document's author may be ahead of ours."""


class TooManyDocuments(RuleViolation):
    """The artifact has documents of too many producers: judging it would be slow for all, or the tools that one sender
    names would leave no room for others."""

    code = "EVD_TOO_MANY_DOCUMENTS"


class StoredForAnotherPlatform(Conflict):
    """The same bytes are stored for the index already, about another of its platforms."""

    code = "RES_DUPLICATE"


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it was sent; ``content`` are its exact bytes.

    ``parents`` are the image indexes of which the artifact is a platform, by the uploader's word.
    """

    artifact_digest: str
    kind: str
    content: bytes
    media_type: str = "application/json"
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """One document of an upload: its bytes as they are stored, the envelope in them, and the answer of the child."""

    content: bytes
    envelope: Envelope | None
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UploadReading:
    """The documents of an upload, and `{place, reason}` of what in the same file is of another kind."""

    upload: Upload
    documents: tuple[ParsedDocument, ...]
    left_out: tuple[dict[str, str], ...]
    parts: frozenset[str]
    """The manifests of the artifact that were known when it was read."""
    of_platforms: tuple[tuple[EvidenceDocument, Answer], ...] = ()
    """Beside an index: the documents about its image that are there, and what they say now that it is known."""


class SignatureState(StrEnum):
    """The signature that an upload has: none, one that no trusted key verifies, one of a trusted key that does not name
    the artifact, or may have meant another kind (docs/adr/0193), and one that counts."""

    NONE = "none"
    UNKNOWN = "unknown"
    UNBOUND = "unbound"
    TRUSTED = "trusted"


@dataclass(frozen=True, slots=True)
class Signature:
    """``key_id`` and ``key_name`` are of the trusted key that signed, empty without one."""

    found: SignatureState
    key_id: str = ""
    key_name: str = ""

    @property
    def signer(self) -> str:
        return self.key_id if self.found is SignatureState.TRUSTED else ""

    def in_words(self, uploaders: str, kind: str) -> str:
        """The signature and its consequence in a sentence to the uploader of a document of this kind."""
        if self.found is SignatureState.TRUSTED:
            return f"It is signed by the trusted key {self.key_name}, and counts as said by that key."
        follows = f"it counts as said by {uploaders}, and not where a policy asks for a signature."
        if self.found is SignatureState.UNBOUND:
            is_report = kind == EvidenceDocument.Kind.VULNERABILITIES
            or_vex, as_scan = (", or has analyses, as VEX has", ", as cosign's type vuln") if is_report else ("", "")
            return (
                f"The trusted key {self.key_name} signed it, but the signed content does not name the artifact by its "
                f"digest{or_vex}: {follows} Sign it inside an in-toto statement about the artifact{as_scan}, and "
                "upload that."
            )
        if self.found is SignatureState.UNKNOWN:
            return (
                f"It is signed, but by no key that is trusted here: {follows} If the signer is to be trusted, an "
                "administrator adds the key under Settings, Evidence; then upload the document again."
            )
        return f"It is not signed: {follows}"


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The stored document; ``new`` is false when the same uploader, for the same people, sent the same bytes before.

    Of a file with several it is the first; ``others`` came in the same file, and ``left_out`` names the rest of it.
    """

    document: EvidenceDocument
    new: bool
    signature: Signature
    others: tuple["StoredDocument", ...] = ()
    left_out: tuple[dict[str, str], ...] = ()

    @property
    def signature_in_words(self) -> str:
        return self.signature.in_words(
            ", ".join(each["username"] for each in self.document.attributed), self.document.kind
        )


def read_upload(upload: Upload, *, by: Actor) -> UploadReading:
    """Reads a file in the isolated child. To be called outside any transaction: it may take seconds.

    Raises Refused, Invalid, InvalidDocument, DigestMismatch, DocumentTooLarge.
    """
    by.require(EVIDENCE_WRITE)
    if not re.fullmatch(DIGEST, upload.artifact_digest) or upload.kind not in EvidenceDocument.Kind.values:
        message = "Say which artifact the document is about, by its digest, and which kind of document it is."
        raise Invalid(message, fields=[FieldError("artifactDigest", message, "invalid")])
    if upload.parents and (upload.kind == EvidenceDocument.Kind.INDEX or upload.artifact_digest in upload.parents):
        message = "An artifact is part of other indexes than itself, and an index of none."
        raise Invalid(message, fields=[FieldError("parents", message, "invalid")])
    parts = manifests_of(by.tenant, upload.artifact_digest)
    answer = read_in_isolation(upload.kind, upload.artifact_digest, upload.content, parts=parts)
    again = _read_for_platforms(upload, answer, by) if upload.kind == EvidenceDocument.Kind.INDEX and not parts else ()
    return UploadReading(upload, _documents(upload.content, answer), tuple(answer["leftOut"]), frozenset(parts), again)


def _read_for_platforms(
    upload: Upload, answer: dict[str, Any], by: Actor
) -> tuple[tuple[EvidenceDocument, Answer], ...]:
    """The documents sent for the image before its index, read again: a scan of one platform stood for all of them.

    Raises DocumentUnread, UploadsBusy.
    """
    platforms = platforms_of(answer["parsed"])
    return tuple(
        (each, read_again(each, upload.artifact_digest, platforms))
        for each in _without_platform(by, upload.artifact_digest)
    )


def _without_platform(by: Actor, artifact: str) -> list[EvidenceDocument]:
    """The documents that count for the image and name none of its platforms: a bounded number."""
    held = newest(by.tenant, [artifact])
    return [each for each in held if not each.about and each.kind != EvidenceDocument.Kind.INDEX]


def _documents(content: bytes, answer: dict[str, Any]) -> tuple[ParsedDocument, ...]:
    """The documents of the file. The signed payload is found in the bytes, and must be the one that the child read
    (docs/adr/0193). Raises InvalidDocument."""
    if not answer["enveloped"]:
        return (ParsedDocument(content, None, answer),)
    found, documents = signed_items(content), []
    for each in (answer, *answer["others"]):
        item = found.get(each["place"])
        if item is None or item.envelope is None or item.envelope.payload_digest != each["payloadDigest"]:
            raise refusal("The signed payload is not the one that was read.", each["place"])
        documents.append(ParsedDocument(item.content, item.envelope, each))
    return tuple(documents)


@transactional
def upload_document(reading: UploadReading, *, by: Actor, clock: Clock = DATABASE_CLOCK) -> StoredDocument:
    """Keeps the documents of a file, all or none. Nothing changes for promotions that have a bundle (domain.md §6).

    Raises Refused, TooManyDocuments, StoredForAnotherPlatform, UploadsBusy, and InvalidDocument for a wrong signature
    in the name of a trusted key or a time in the future.
    """
    by.require(EVIDENCE_WRITE)
    at = clock.now()
    keys = _trusted_keys(by) if any(each.envelope for each in reading.documents) else {}
    upload = reading.upload
    _check_index(reading, by)
    first, *others = [
        *(_store(each, upload.artifact_digest, upload, keys, by, at) for each in reading.documents),
        *(_store(each, parent, upload, keys, by, at) for parent in upload.parents for each in reading.documents),
    ]
    for document, answer in reading.of_platforms:
        store_reading(document, answer, at)
    return replace(first, others=tuple(others), left_out=reading.left_out)


def _check_index(reading: UploadReading, by: Actor) -> None:
    """An index and documents about its image that come at the same time wait for each other. Raises UploadsBusy."""
    artifact = reading.upload.artifact_digest
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [str(by.tenant), artifact])
    came = frozenset(manifests_of(by.tenant, artifact)) != reading.parts
    if reading.upload.kind == EvidenceDocument.Kind.INDEX and not reading.parts:
        known = {document.pk for document, _ in reading.of_platforms}
        came |= known != {document.pk for document in _without_platform(by, artifact)}
    if came:
        raise UploadsBusy("A document about this image or its index came at the same moment: send this one again.")


def _store(sent: ParsedDocument, artifact: str, upload: Upload, keys: Keys, by: Actor, at: datetime) -> StoredDocument:
    """For the artifact of the upload, or for an index that it is said to be a part of (docs/adr/0153)."""
    answer = sent.answer
    claimed = artifact != upload.artifact_digest
    about = (answer["about"] or upload.artifact_digest) if claimed else answer["about"]
    generated = None if answer["generatedAt"] is None else parse_rfc3339(answer["generatedAt"])
    if generated is not None and generated > at + EARLY:
        raise refusal("The document says that it was made in the future.", answer["place"])
    binds = answer["namesArtifact"] and (not claimed or about in manifests_of(by.tenant, artifact))
    signature = _signature(sent, keys, binds=binds)
    signer = signature.signer
    payload = "" if sent.envelope is None else sent.envelope.payload_digest
    parsed = canonical_bytes(answer["parsed"])
    document = EvidenceDocument(
        id=new_id(),
        tenant_id=by.tenant,
        artifact_digest=artifact,
        kind=upload.kind,
        format=answer["format"],
        media_type=upload.media_type,
        content_id=digest_bytes(sent.content),
        size=len(sent.content),
        parsed_id=digest_bytes(parsed),
        summary=answer["summary"],
        producer=answer["producer"] or signer or UNKNOWN,
        generated_at=generated,
        predicate_type=answer["predicateType"] or "",
        signer=signer,
        said_by=signer or str(by.account),
        payload_digest=payload,
        first_uploaded_at=_first_uploaded_at(payload, by, at),
        reader=READER,
        about=about,
        scope=answer["scope"],
        uploaded_by_id=by.account,
        uploaded_by_username=by.username,
        uploaded_by_name=by.display_name,
        attributed=people_behind(by),
        token_id=by.token_id,
        uploaded_at=at,
    )
    limit = reached_limit(document)
    if limit is not None:
        raise TooManyDocuments(details={"artifactDigest": artifact, "limit": limit})
    blobs.store({document.content_id: sent.content, document.parsed_id: parsed})
    EvidenceDocument.objects.bulk_create([document], ignore_conflicts=True)
    stored = EvidenceDocument.objects.get(
        tenant_id=by.tenant,
        artifact_digest=artifact,
        kind=upload.kind,
        content_id=document.content_id,
        uploaded_by_id=by.account,
        attributed=document.attributed,
        signer=signer,
    )
    if stored.about and stored.about != about:
        raise StoredForAnotherPlatform(
            f"The same bytes are stored for {artifact} already, about {stored.about}: send a document that was made of "
            "this platform.",
            details={"artifactDigest": artifact, "about": stored.about},
        )
    if stored.pk != document.pk:
        return StoredDocument(stored, new=False, signature=signature)
    record(
        by=by,
        at=at,
        action="evidence.uploaded",
        resource="evidence_document",
        resource_id=stored.pk,
        after=audited_document(stored),
        metadata={
            "artifactDigest": stored.artifact_digest,
            "kind": stored.kind,
            "format": stored.format,
            "documentDigest": stored.content_id,
            "signer": signer or None,
            "about": stored.about or None,
        },
    )
    return StoredDocument(stored, new=True, signature=signature)


def _first_uploaded_at(payload: str, by: Actor, at: datetime) -> datetime:
    """The first upload of this payload of an envelope in the tenant, for any artifact and by any signer."""
    if not payload:
        return at
    before = EvidenceDocument.objects.filter(tenant_id=by.tenant, payload_digest=payload)
    return before.aggregate(first=Min("uploaded_at"))["first"] or at


def _trusted_keys(by: Actor) -> Keys:
    """The keys that the tenant trusts now, with their names."""
    trusted = TrustedKey.objects.filter(tenant_id=by.tenant, revoked_at=None).values_list("key_id", "pem", "name")
    return {key_id: (public_key(pem), name) for key_id, pem, name in trusted}


def _signature(sent: ParsedDocument, keys: Keys, *, binds: bool) -> Signature:
    """The trusted key that signed, and whether its signature counts.

    It does not count for a document that does not name its artifact by digest (``binds``): a person who has it could
    send it for another artifact, so it counts as said by its sender (docs/adr/0193). Raises InvalidDocument.
    """
    if sent.envelope is None:
        return Signature(SignatureState.NONE)
    try:
        signer = signer_of(sent.envelope, {key_id: key for key_id, (key, _) in keys.items()})
    except SignatureWrong as wrong:
        raise refusal(
            f"The signature in the name of the trusted key {wrong} is not by that key: sign the document again.",
            f"{sent.envelope.place}.signatures",
        ) from None
    if signer is None:
        return Signature(SignatureState.UNKNOWN)
    return Signature(SignatureState.TRUSTED if binds else SignatureState.UNBOUND, signer, keys[signer][1])


__all__ = [
    "DigestMismatch",
    "InvalidDocument",
    "StoredDocument",
    "Upload",
    "UploadReading",
    "read_upload",
    "upload_document",
]
