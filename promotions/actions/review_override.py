from uuid import UUID

from django.http import Http404

from policies.facts import exclusions
from promotions.fastpath import rows
from promotions.judging.evaluation_context import instant, stored_requirements
from promotions.judging.locks import lock_promotion
from promotions.judging.unit_of_work import UnitOfWork
from promotions.models import Override, OverrideReview
from promotions.voting.held_accounts import confirmed_since, held_here
from promotions.voting.overrides import LONGEST_REASON, check_can_review
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.second_factor import check_second_factor
from stellapromote.clock import Clock
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid
from stellapromote.ids import new_id
from stellapromote.transactions import transactional
from stellapromote.wrong_values import not_among, too_long


@transactional
def review_override(
    promotion_id: UUID, override_id: UUID, *, by: Actor, verdict: str, comment: str = "", clock: Clock = DATABASE_CLOCK
) -> Override:
    """Says afterwards whether an override was justified; it changes no decision (domain.md §6).

    Raises Http404, Invalid for an objection without a reason, and the refusals of ``check_can_review``.
    """
    comment = comment.strip()
    _check(verdict, comment)
    promotion, _, moment = lock_promotion(promotion_id, by.tenant, clock)
    override = Override.objects.select_related("review").filter(pk=override_id, promotion=promotion).first()
    if override is None:
        raise Http404("This promotion has no such override.")
    excluded = exclusions(stored_requirements(promotion))
    check_can_review(by, promotion, override, excluded, held_here(promotion.tenant_id), confirmed_since(promotion))
    at = instant(moment, promotion)
    check_second_factor(by, at)
    review = OverrideReview(
        id=new_id(),
        tenant_id=promotion.tenant_id,
        override_id=override.pk,
        author_id=override.actor_id,
        reviewer_id=by.account,
        username=by.username,
        display_name=by.display_name,
        verdict=verdict,
        comment=comment,
        at=at,
    )
    rows.insert(review)
    promotion.version += 1
    rows.store(promotion)
    work = UnitOfWork(by, at)
    work.note(
        "override.reviewed",
        promotion,
        after={"comment": comment},
        outside=False,
        gate=override.gate,
        overrideId=str(override.pk),
        verdict=verdict,
    )
    work.write()
    return Override.objects.select_related("review").get(pk=override.pk)


def _check(verdict: str, comment: str) -> None:
    errors = []
    if verdict not in OverrideReview.Verdict.values:
        errors.append(FieldError("verdict", *not_among(OverrideReview.Verdict.values)))
    elif verdict == OverrideReview.Verdict.OBJECTED and not comment:
        errors.append(FieldError("comment", "An objection needs a reason.", "required"))
    if len(comment) > LONGEST_REASON:
        errors.append(FieldError("comment", *too_long(LONGEST_REASON)))
    if errors:
        raise Invalid(errors[0].message, fields=errors)
