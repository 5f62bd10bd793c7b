"""Parts of packets and envelopes that a caller sent, of any form, and their checks."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from promotions.documents.manifest import manifest_digest
from promotions.packets.verifying.result import Check
from stellapromote.clock import parse_rfc3339
from stellapromote.signing.canonical_json import CanonicalJsonError, digest


def instant(value: Any) -> datetime | None:
    try:
        return parse_rfc3339(value)
    except (TypeError, ValueError):
        return None


def identifier(value: Any) -> UUID | None:
    try:
        return UUID(value)
    except (AttributeError, TypeError, ValueError):
        return None


def check_content_hash(content: Any, claimed: Any) -> Check:
    try:
        actual = digest(content)
    except CanonicalJsonError:
        return Check("contentHash", "failed", "The content has no canonical form.")
    if actual != claimed:
        return Check("contentHash", "failed", f"The content was changed: its digest is {actual}.")
    return Check("contentHash", "passed", f"The content has the digest {actual}.")


def check_manifest(content: Any) -> Check:
    """The manifestDigest is that of the components that stand beside it (domain.md §3)."""
    try:
        release: Mapping[str, Any] = content["release"]
        actual = manifest_digest(release["components"])
        claimed = release["manifestDigest"]
    except (CanonicalJsonError, KeyError, TypeError):
        return Check("manifest", "failed", "The components or the manifestDigest cannot be read.")
    if actual != claimed:
        return Check("manifest", "failed", f"The components are not those of the manifestDigest: theirs is {actual}.")
    return Check("manifest", "passed", f"The components have the manifestDigest {actual}.")
