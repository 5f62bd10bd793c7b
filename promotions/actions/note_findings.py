"""The record of a verification's findings, and of their end (proof.md, Log)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import Q

from promotions.actions.evaluate import reevaluate
from promotions.models import EvidenceFinding, Promotion
from promotions.states import OPEN
from promotions.verification.mismatch import Mismatch, MismatchKind
from stellapromote.accounts.actor import Actor
from stellapromote.audit.events import Found
from stellapromote.audit.recording import Entry, record_many
from stellapromote.clock import Clock
from stellapromote.transactions import transactional

MOST_OF_ONE: Final = 20
"""The most findings that are noted about one promotion, or of one batch of a tenant: each of them is enough."""


def note_about_promotion(promotion: Promotion, found: Iterable[Mismatch], *, by: Actor, clock: Clock) -> int:
    """Notes what was found in the promotion, and that the rest is gone. An open promotion is judged again with it.

    Returns how many findings are new. Costs one statement where nothing is found and nothing was.
    """
    found = list(found)[:MOST_OF_ONE]
    if not found and not EvidenceFinding.objects.filter(promotion=promotion, gone_at=None).exists():
        return 0
    new, gone = _note(promotion, found, by, clock.now())
    if (new or gone) and promotion.status in OPEN:
        reevaluate(promotion.pk, by=by, clock=clock)
    return new


@transactional
def note_about_tenant(found: Iterable[Mismatch], *, by: Actor, clock: Clock) -> int:
    """Notes the findings about objects of no promotion: the audit chain, a policy, a document. Returns the number of
    new ones."""
    found = list(found)[:MOST_OF_ONE]
    return _add(None, found, by, clock.now()) if found else 0


@transactional
def forget_about_tenant(kinds: Iterable[MismatchKind], *, not_seen_since: datetime, by: Actor, clock: Clock) -> int:
    """Notes as gone what a walk that looked for all of these kinds, and began then, has not found again; how many."""
    rows = EvidenceFinding.objects.filter(
        Q(tenant_id=by.tenant_id), promotion=None, what__in=list(kinds), seen_at__lt=not_seen_since, gone_at=None
    )
    return _end(list(rows), None, by, clock.now())


@transactional
def _note(promotion: Promotion, found: list[Mismatch], by: Actor, at: datetime) -> tuple[int, int]:
    new = _add(promotion, found, by, at)
    places = {(str(each.what), each.place[:300]) for each in found}
    rows = EvidenceFinding.objects.filter(promotion=promotion, gone_at=None)
    return new, _end([row for row in rows if (row.what, row.place) not in places], promotion, by, at)


def _add(promotion: Promotion | None, found: list[Mismatch], by: Actor, at: datetime) -> int:
    """Two verifications at once note each finding once: the index lets the second wait, then pass."""
    before = EvidenceFinding.objects.filter(Q(tenant_id=by.tenant_id), promotion=promotion, gone_at=None)
    known = {(row.what, row.place): row.pk for row in before}
    seen = [known[key] for each in found if (key := (str(each.what), each.place[:300])) in known]
    EvidenceFinding.objects.filter(pk__in=seen, gone_at=None).update(seen_at=at)
    rows = [
        EvidenceFinding(
            tenant_id=by.tenant_id,
            promotion=promotion,
            what=each.what,
            place=each.place[:300],
            message=each.message[:1000],
            found_at=at,
            seen_at=at,
        )
        for each in found
        if (str(each.what), each.place[:300]) not in known
    ]
    ids = {row.pk for row in rows}
    EvidenceFinding.objects.bulk_create(rows, ignore_conflicts=True)
    kept: set[UUID] = set(EvidenceFinding.objects.filter(pk__in=ids).values_list("pk", flat=True)) if ids else set()
    _record_findings("evidence.mismatch_found", [row for row in rows if row.pk in kept], promotion, by, at)
    return len(kept)


def _end(rows: list[EvidenceFinding], promotion: Promotion | None, by: Actor, at: datetime) -> int:
    ended = [
        row for row in rows if EvidenceFinding.objects.filter(pk=row.pk, gone_at=None).update(gone_at=at, seen_at=at)
    ]
    _record_findings("evidence.mismatch_gone", ended, promotion, by, at)
    return len(ended)


def _record_findings(
    action: Found, rows: list[EvidenceFinding], promotion: Promotion | None, by: Actor, at: datetime
) -> None:
    """One audit event for each finding, with what and where."""
    record_many(
        Entry(
            by=by,
            at=at,
            action=action,
            resource="evidence_finding",
            resource_id=row.pk,
            metadata={"what": row.what, "place": row.place}
            | ({} if promotion is None else {"number": promotion.number}),
            promotion_id=None if promotion is None else promotion.pk,
            release_id=None if promotion is None else promotion.release_id,
            environment_id=None if promotion is None else promotion.target_environment_id,
        )
        for row in rows
    )
