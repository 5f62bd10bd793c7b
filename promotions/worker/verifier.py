"""The worker's verification of stored rows: once a day of new ones, once a week of everything (proof.md, Log).

New ones follow the audit chain, in which every change of a promotion is an event: each link after the last one
verified, and each promotion that those events are about. Everything is also the promotions by number, then the contents
by digest. It goes in small steps between the rounds, each stored with its position, and takes no turn from judging: a
step claims its tenant for a minute, commits, and reads without a lock.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from promotions.actions.note_findings import forget_about_tenant, note_about_promotion, note_about_tenant
from promotions.actions.record_rows import record_rows
from promotions.models import EvidenceFinding, EvidencePacket, EvidenceRound
from promotions.packets.audit_heads import breaks_of
from promotions.packets.verifying import known_keys
from promotions.verification.documents import KINDS, SYSTEM_KINDS, VerifiedDigests, check_documents
from promotions.verification.installation import check_installation
from promotions.verification.mismatch import OF_CHAIN, OF_DOCUMENTS, chain_mismatch, run_check, unverified_mismatch
from promotions.verification.numbers import check_numbers
from promotions.verification.policies import check_policies
from promotions.verification.tenants import check_tenant
from promotions.verification.walk import START, Found, Place, promotions_after, these_promotions
from promotions.worker.steps import Steps
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.audit import heads
from stellapromote.audit.chain import GENESIS, Break, Broken, Head
from stellapromote.audit.verify import lost_event, verify_stretch
from stellapromote.clock import Clock
from stellapromote.database.errors import is_put_off
from stellapromote.transactions import transactional

logger = logging.getLogger(__name__)

NEW_EVERY: Final = timedelta(days=1)
ALL_EVERY: Final = timedelta(days=7)

ROUND_SECONDS: Final = 0.1
"""The seconds for which steps begin between two rounds."""

LINKS: Final = 100
PROMOTIONS: Final = 10
ROWS: Final = 20
"""The most links, promotions or stored contents of one step."""

CLAIMED: Final = timedelta(minutes=1)
"""After so long another worker goes on with a tenant whose step did not end."""

_LAST: Final = "f" * 32

# The system's chain has no tenant. New rows begin with a walk over everything.
_NEW_ROUNDS = """
INSERT INTO promotions_evidenceround (id, tenant_id, sequence, event_hash, rests_until, all_due_at)
SELECT gen_random_uuid(), t.id, 0, %(genesis)s, %(now)s, %(now)s
FROM (SELECT id FROM accounts_tenant UNION ALL SELECT NULL) t
WHERE NOT EXISTS (SELECT 1 FROM promotions_evidenceround r WHERE r.tenant_id IS NOT DISTINCT FROM t.id)
ON CONFLICT DO NOTHING
"""
# A row that cannot be read would keep every tenant from being claimed.
_READABLE = """
UPDATE promotions_evidenceround SET rests_until = %(now)s, all_due_at = %(now)s, position = NULL
WHERE rests_until NOT BETWEEN '0001-01-02Z' AND '9999-12-31Z' OR all_due_at NOT BETWEEN '0001-01-02Z' AND '9999-12-31Z'
"""


@dataclass(slots=True)
class Verifier:
    """Verifies some of the stored rows, for as long as a worker lives.

    It forgets the contents that it verified when a walk begins.
    """

    steps: Steps = field(default_factory=Steps)
    verified: VerifiedDigests = field(default_factory=VerifiedDigests)

    def verify_some(self, clock: Clock) -> int:
        """Takes steps for a tenth of a second; how many. Must be called outside a transaction."""
        until, steps = time.monotonic() + ROUND_SECONDS, 0
        _begin_new(clock.now())
        while (claimed := _claim(clock.now())) is not None:
            # Where it is put off, the claim holds for a minute: the other tenants have their turn.
            self.steps.take("verify", partial(self._try_step, claimed, clock), claimed.tenant_id)
            steps += 1
            if time.monotonic() > until:
                break
        return steps

    def _try_step(self, at: EvidenceRound, clock: Clock) -> None:
        """Raises where the database made it wait: the next step of the tenant begins at the same place."""
        try:
            self._step(at, clock)
        except Exception as error:
            if is_put_off(error):
                raise
            tenant_id = at.tenant_id and str(at.tenant_id)
            logger.exception("worker_step_failed", extra={"step": "verify", "tenant_id": tenant_id})
            _begin_anew(at, error, clock)

    def _step(self, at: EvidenceRound, clock: Clock) -> None:
        by = _worker(at)
        if at.position is None:
            record_rows(by=by, clock=clock)
        if at.all_due_at <= clock.now():
            self.verified = VerifiedDigests()
            at.sequence, at.event_hash, at.all_due_at = 0, GENESIS, clock.now() + ALL_EVERY
            at.position = {"number": START.number, "after": str(START.id)}
        found = self._along_the_chain(at, by, clock)
        if at.position is not None:
            found = False
            self._along_everything(at, by, clock)
        elif found and at.tenant_id is not None:
            self._note_break(heads.lost_head(at.tenant_id), by, clock)
            # Earlier findings are checked again, so that they can be ended.
            self._check(these_promotions(at.tenant_id, _with_findings(by), self.verified), by, clock)
        at.rests_until = clock.now() + NEW_EVERY if found else clock.now()
        at.save(update_fields=["sequence", "event_hash", "position", "rests_until", "all_due_at"])

    def _along_the_chain(self, at: EvidenceRound, by: Actor, clock: Clock) -> bool:
        """Whether the end of the chain was reached."""
        stretch = verify_stretch(at.tenant_id, Head(at.sequence, bytes(at.event_hash)), LINKS)
        self._note_break(stretch.broken, by, clock)
        if at.position is None and at.tenant_id is not None and stretch.promotions:
            self._check(these_promotions(at.tenant_id, stretch.promotions, VerifiedDigests()), by, clock)
        at.sequence, at.event_hash = stretch.head.sequence, stretch.head.event_hash
        return stretch.ended

    @staticmethod
    def _note_break(broken: Broken | None, by: Actor, clock: Clock) -> None:
        if broken is not None:
            note_about_tenant([chain_mismatch(broken)], by=by, clock=clock)

    def _along_everything(self, at: EvidenceRound, by: Actor, clock: Clock) -> None:
        position: dict[str, Any] = at.position or {}
        kinds = SYSTEM_KINDS if at.tenant_id is None else KINDS
        if at.tenant_id is not None and "number" in position:
            found, place = promotions_after(at.tenant_id, _place(position), self.verified, PROMOTIONS)
            self._check(found, by, clock)
            behind = {"kind": 0, "after": str(UUID(int=0))}
            at.position = behind if place is None else {"number": place.number, "after": str(place.id)}
        elif (number := position.get("kind", 0)) < len(kinds):
            last, unfit = check_documents(at.tenant_id, kinds[number], UUID(position["after"]), self.verified, ROWS)
            note_about_tenant(unfit, by=by, clock=clock)
            begin = {"kind": number + 1, "after": str(UUID(int=0))}
            at.position = begin if last is None else {"kind": number, "after": str(last)}
        elif at.tenant_id is None:
            note_about_tenant(check_installation(), by=by, clock=clock)
            at.position = None
        else:
            for name, check in (("tenant", check_tenant), ("numbers", check_numbers), ("policies", check_policies)):
                note_about_tenant(run_check(name, partial(check, at.tenant_id)), by=by, clock=clock)
            at.position = None
        if at.position is None:
            self._note_break(lost_event(at.tenant_id, Head(at.sequence, bytes(at.event_hash))), by, clock)
            if at.tenant_id is not None:
                self._note_break(heads.lost_head(at.tenant_id), by, clock)
            began = at.all_due_at - ALL_EVERY
            forget_about_tenant((*OF_DOCUMENTS, *OF_CHAIN), not_seen_since=began, by=by, clock=clock)

    def _check(self, found: Found, by: Actor, clock: Clock) -> None:
        """Notes what was found, and compares the heads of the packets with the chain."""
        for promotion, mismatches in found:
            try:
                note_about_promotion(promotion, mismatches, by=by, clock=clock)
            except Exception as error:
                if is_put_off(error):
                    raise
                what = {"step": "verify", "promotion_id": str(promotion.pk)}
                logger.exception("worker_step_failed", extra=what)
        if by.tenant_id is not None and found:
            packets = EvidencePacket.objects.filter(promotion__in=[promotion for promotion, _ in found])
            documents = [(pk, bytes(document)) for pk, document in packets.values_list("pk", "document")]
            broken = breaks_of(by.tenant_id, documents, known_keys())
            # A packet whose signature does not fit says nothing of the chain, and is a finding already.
            breaks = [chain_mismatch(each) for each in broken if each.reason is not Break.HEAD_UNSIGNED]
            note_about_tenant(breaks, by=by, clock=clock)


def _place(position: dict[str, Any]) -> Place:
    """The version before stored the number alone."""
    return Place(position["number"], UUID(position.get("after", _LAST)))


def _with_findings(by: Actor) -> list[UUID]:
    rows = EvidenceFinding.objects.filter(Q(tenant_id=by.tenant_id), gone_at=None, promotion__isnull=False)
    return list(rows.order_by("promotion_id").values_list("promotion_id", flat=True).distinct()[:PROMOTIONS])


def _begin_anew(at: EvidenceRound, error: Exception, clock: Clock) -> None:
    """A failed walk is a finding, and the next walk is over everything: the stored position may be what failed."""
    note_about_tenant([unverified_mismatch("walk", error)], by=_worker(at), clock=clock)
    EvidenceRound.objects.filter(pk=at.pk).update(position=None, all_due_at=clock.now())


def _worker(at: EvidenceRound) -> Actor:
    return system_actor(at.tenant_id, "" if at.tenant is None else at.tenant.slug)


def _begin_new(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEW_ROUNDS, {"now": now, "genesis": GENESIS})
        cursor.execute(_READABLE, {"now": now})


@transactional
def _claim(now: datetime) -> EvidenceRound | None:
    """The tenant that waits longest, for this worker alone; None when all rest."""
    waiting = EvidenceRound.objects.select_for_update(skip_locked=True, of=("self",)).filter(rests_until__lte=now)
    found = waiting.select_related("tenant").order_by("rests_until", "pk").first()
    if found is not None:
        EvidenceRound.objects.filter(pk=found.pk).update(rests_until=now + CLAIMED)
    return found
