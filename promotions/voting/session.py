"""The session of one vote: the promotion, the instant, fresh facts, and a check that the subject is current."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from promotions.fastpath import rows
from promotions.judging.evaluation_context import EvaluationContext, gather_context, instant
from promotions.judging.facts import StoredFacts
from promotions.judging.judge import adopt_subject, conclude, expire_if_due
from promotions.judging.locks import Moment, lock_and_read
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Promotion
from promotions.packets.signing_key import current_key
from promotions.voting import rules
from promotions.voting.ballot import ballot_under_lock
from promotions.voting.etags import check_tag
from promotions.voting.outcome import Outcome
from promotions.voting.rules import Ballot
from stellapromote.accounts.actor import Actor
from stellapromote.api.etag import IfMatch
from stellapromote.clock import Clock
from stellapromote.errors import ProductError


@dataclass(frozen=True, slots=True)
class SeenSubject:
    """The subject that the caller names as seen: by its digest, by the condition of an If-Match, or not at all."""

    subject_digest: str | None = None
    if_match: IfMatch | None = None


UNSEEN = SeenSubject()


@dataclass(slots=True)
class VoteSession:
    """A promotion, ready for one act. ``close`` judges it again and stores everything.

    ``seen``: the digest of the subject that the caller named as seen, None without one. ``version``: that of the
    promotion when the session was opened; closing leaves a higher one, since pages show the act. ``mark``: that of the
    row when it was read, where no lock is held (docs/adr/0133).
    """

    promotion: Promotion
    context: EvaluationContext
    ballot: Ballot
    work: UnitOfWork
    superseded: list[Promotion]
    seen: str | None
    version: int
    mark: str | None = None

    def judge(self) -> None:
        """Judges the promotion again after the act. The unit of work holds the rows to store."""
        conclude(self.context, self.work, superseded=self.superseded)
        if self.promotion.version == self.version:
            self.promotion.version += 1
        self.work.writes.store(self.promotion, mark=self.mark)

    def close(self) -> Outcome:
        self.judge()
        self.work.write()
        return Outcome(self.promotion)

    def refuse(self, refusal: ProductError) -> Outcome:
        """Closes without an act. What fresh facts changed is stored; if they changed nothing, the version stays."""
        conclude(self.context, self.work, superseded=self.superseded)
        changed = self.promotion.version != self.version or self.work.has_event_of(self.promotion)
        self.work.writes.store(self.promotion)
        self.work.write()
        return Outcome(self.promotion, refusal, changed=changed)


Check = Callable[[EvaluationContext, Ballot], None]


def open_vote_session(
    promotion_id: UUID,
    *,
    by: Actor,
    seen: SeenSubject,
    clock: Clock,
    check: Check,
    digest_optional: bool = False,
) -> VoteSession | Outcome:
    """Locks, gathers the facts and checks in the contract's order. An Outcome is a refusal, to be committed with the
    changes that fresh facts made.

    ``digest_optional``: an act for which no policy requires the digest of the subject that the person saw.
    """
    key = current_key()
    promotion, superseded, moment, reading = lock_and_read(
        promotion_id, by.tenant, clock, signing_key_id=None if key is None else key.key_id
    )
    return build_vote_session(
        promotion, superseded, moment, reading, by=by, seen=seen, check=check, digest_optional=digest_optional
    )


def build_vote_session(
    promotion: Promotion,
    superseded: list[Promotion],
    moment: Moment,
    reading: StoredFacts,
    *,
    by: Actor,
    seen: SeenSubject,
    check: Check,
    digest_optional: bool = False,
) -> VoteSession | Outcome:
    """As ``open_vote_session``, from rows that the caller has read."""
    check_tag(promotion, by, seen.if_match)
    at = instant(moment, promotion)
    work = UnitOfWork(by, at)
    if expire_if_due(promotion, at, work):
        rows.store(promotion)
        work.write()
        return Outcome(promotion, rules.StateForbids(promotion.status_detail))
    context = gather_context(promotion, at, reading=reading)
    digest = _digest_seen(seen, promotion)
    version = promotion.version
    adopt_subject(context, work)
    ballot = ballot_under_lock(context)
    check(context, ballot)
    session = VoteSession(promotion, context, ballot, work, superseded, digest, version)
    stale = rules.subject_changed(promotion, digest)
    if stale is not None:
        return session.refuse(stale)
    if not digest_optional:
        rules.check_says_what_was_seen(ballot, digest)
    return session


def _digest_seen(seen: SeenSubject, promotion: Promotion) -> str | None:
    """The digest of the subject that the caller saw. An If-Match of this version alone stands for the subject stored
    with it, which facts newer than the last evaluation may have overtaken (domain.md §5); `*` and a list stand for
    nothing."""
    if seen.subject_digest is not None or seen.if_match is None or not seen.if_match.names_one:
        return seen.subject_digest
    return promotion.subject_digest
