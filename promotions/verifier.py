"""The worker's verification of what is stored: once a day of what is new, once a week of everything (proof.md, Log).

What is new follows the audit chain, in which every change of a promotion is an event: each link after the last one
verified, and each promotion that those events are about. Everything is also the promotions by number, then what is
kept by digest. It goes in small steps between the rounds, each stored with its position, and takes no turn from
judging: a step claims its tenant for a minute, commits, and looks without a lock.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q

from promotions.actions.note_findings import forget_about_tenant, note_about_promotion, note_about_tenant
from promotions.audit_heads import breaks_of
from promotions.models import EvidenceFinding, EvidencePacket, EvidenceRound
from promotions.stored_evidence.documents import KINDS, Fitting, check_documents, check_policies
from promotions.stored_evidence.mismatch import OF_CHAIN, OF_DOCUMENTS, of_chain
from promotions.stored_evidence.numbers import check_numbers
from promotions.stored_evidence.walk import Found, promotions_after, these_promotions
from promotions.verifying import known_keys
from stellapromote.accounts.actor import Actor, system_actor
from stellapromote.audit.chain import GENESIS, Break, Head
from stellapromote.audit.verify import verify_stretch
from stellapromote.clock import Clock
from stellapromote.transactions import transactional

logger = logging.getLogger(__name__)

NEW_EVERY: Final = timedelta(days=1)
ALL_EVERY: Final = timedelta(days=7)

ROUND_SECONDS: Final = 0.1
"""So long steps begin between two rounds."""

LINKS: Final = 100
PROMOTIONS: Final = 10
ROWS: Final = 20
"""So many links, promotions or kept contents one step looks at."""

CLAIMED: Final = timedelta(minutes=1)
"""After so long another worker goes on with a tenant whose step did not end."""

# The system's chain has no tenant. New rows begin with a walk over everything.
_NEW_ROUNDS = """
INSERT INTO promotions_evidenceround (id, tenant_id, sequence, event_hash, rests_until, all_due_at)
SELECT gen_random_uuid(), t.id, 0, %(genesis)s, %(now)s, %(now)s
FROM (SELECT id FROM accounts_tenant UNION ALL SELECT NULL) t
WHERE NOT EXISTS (SELECT 1 FROM promotions_evidenceround r WHERE r.tenant_id IS NOT DISTINCT FROM t.id)
ON CONFLICT DO NOTHING
"""


@dataclass(slots=True)
class Verifier:
    """Verifies some of what is stored, for as long as a worker lives.

    What it remembers of contents that fit, it forgets with each walk that begins.
    """

    fitting: Fitting = field(default_factory=Fitting)

    def verify_some(self, clock: Clock) -> int:
        """Takes steps for a tenth of a second; how many. Must be called outside a transaction."""
        until, steps = time.monotonic() + ROUND_SECONDS, 0
        _begin_new(clock.now())
        while (claimed := _claim(clock.now())) is not None:
            self._step(claimed, clock)
            steps += 1
            if time.monotonic() > until:
                break
        return steps

    def _step(self, at: EvidenceRound, clock: Clock) -> None:
        by = system_actor(at.tenant_id, "" if at.tenant is None else at.tenant.slug)
        if at.all_due_at <= clock.now():
            self.fitting = Fitting()
            at.sequence, at.event_hash, at.all_due_at = 0, GENESIS, clock.now() + ALL_EVERY
            at.position = {"number": 0}
        found = self._along_the_chain(at, by, clock)
        if at.position is not None:
            found = False
            self._along_everything(at, by, clock)
        elif found and at.tenant_id is not None:
            # What was found before is looked at again, so that it can go.
            self._check(these_promotions(at.tenant_id, _with_findings(by), self.fitting), by, clock)
        at.rests_until = clock.now() + NEW_EVERY if found else clock.now()
        at.save(update_fields=["sequence", "event_hash", "position", "rests_until", "all_due_at"])

    def _along_the_chain(self, at: EvidenceRound, by: Actor, clock: Clock) -> bool:
        """Whether the end of the chain was reached."""
        stretch = verify_stretch(at.tenant_id, Head(at.sequence, bytes(at.event_hash)), LINKS)
        if stretch.broken is not None:
            note_about_tenant([of_chain(stretch.broken)], by=by, clock=clock)
        if at.position is None and at.tenant_id is not None and stretch.promotions:
            self._check(these_promotions(at.tenant_id, stretch.promotions, Fitting()), by, clock)
        at.sequence, at.event_hash = stretch.head.sequence, stretch.head.event_hash
        return stretch.ended

    def _along_everything(self, at: EvidenceRound, by: Actor, clock: Clock) -> None:
        position: dict[str, Any] = at.position or {}
        if at.tenant_id is None:
            at.position = None
        elif "number" in position:
            found = promotions_after(at.tenant_id, position["number"], self.fitting, PROMOTIONS)
            self._check(found, by, clock)
            at.position = {"number": found[-1][0].number} if found else {"kind": 0, "after": str(UUID(int=0))}
        elif position["kind"] < len(KINDS):
            kind = KINDS[position["kind"]]
            last, unfit = check_documents(at.tenant_id, kind, UUID(position["after"]), self.fitting, ROWS)
            note_about_tenant(unfit, by=by, clock=clock)
            after = {"kind": position["kind"] + 1, "after": str(UUID(int=0))}
            at.position = after if last is None else {**position, "after": str(last)}
        else:
            note_about_tenant(check_numbers(at.tenant_id) + check_policies(at.tenant_id), by=by, clock=clock)
            at.position = None
        if at.position is None:
            began = at.all_due_at - ALL_EVERY
            forget_about_tenant((*OF_DOCUMENTS, *OF_CHAIN), not_seen_since=began, by=by, clock=clock)

    def _check(self, found: Found, by: Actor, clock: Clock) -> None:
        """Notes what was found, and compares the heads of the packets with the chain."""
        for promotion, mismatches in found:
            try:
                note_about_promotion(promotion, mismatches, by=by, clock=clock)
            except Exception as error:
                if isinstance(error, OperationalError | InterfaceError) and not connection.is_usable():
                    raise
                what = {"step": "verify", "promotion_id": str(promotion.pk)}
                logger.exception("worker_step_failed", extra=what)
        if by.tenant_id is not None and found:
            packets = EvidencePacket.objects.filter(promotion__in=[promotion for promotion, _ in found])
            documents = [(pk, bytes(document)) for pk, document in packets.values_list("pk", "document")]
            heads = breaks_of(by.tenant_id, documents, known_keys())
            # A packet whose signature does not fit says nothing of the chain, and is a finding already.
            breaks = [of_chain(broken) for broken in heads if broken.reason is not Break.HEAD_UNSIGNED]
            note_about_tenant(breaks, by=by, clock=clock)


def _with_findings(by: Actor) -> list[UUID]:
    rows = EvidenceFinding.objects.filter(Q(tenant_id=by.tenant_id), gone_at=None, promotion__isnull=False)
    return list(rows.order_by("promotion_id").values_list("promotion_id", flat=True).distinct()[:PROMOTIONS])


def _begin_new(now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_NEW_ROUNDS, {"now": now, "genesis": GENESIS})


@transactional
def _claim(now: datetime) -> EvidenceRound | None:
    """The tenant that waits longest, for this worker alone; None when all rest."""
    waiting = EvidenceRound.objects.select_for_update(skip_locked=True, of=("self",)).filter(rests_until__lte=now)
    found = waiting.select_related("tenant").order_by("rests_until", "pk").first()
    if found is not None:
        EvidenceRound.objects.filter(pk=found.pk).update(rests_until=now + CLAIMED)
    return found
