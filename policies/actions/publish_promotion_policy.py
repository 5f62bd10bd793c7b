from datetime import datetime

import orjson

from policies import documents, rules, weakening
from policies.actions.lock import lock_promotion_policy
from policies.actions.versions import add_promotion_version, drafted
from policies.etags import promotion_policy_tag
from policies.guarding import protected_by
from policies.models import PromotionPolicy
from policies.proposals import proposable
from policies.references import check_references
from policies.second_person import accountable_accounts, check_second_person, is_vouched_for
from policies.weakening_edits import Weakening
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.attribution import accounts_behind
from stellapromote.accounts.scopes import POLICY_PUBLISH
from stellapromote.accounts.second_factor import check_second_factor
from stellapromote.api.etag import IfMatch
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.errors import Conflict, FieldError, Invalid, RuleViolation
from stellapromote.transactions import transactional


class NothingToPublish(Conflict):
    """The policy has no draft, or the draft equals the published version."""

    code = "RES_STATE_CONFLICT"


class TextNotNamed(Invalid):
    """Another person edited the draft, and the call does not name the text of it that its author has seen."""

    def __init__(self, name: str) -> None:
        message = (
            f"Somebody else edited the draft of {name}: read it, then publish it with If-Match and its ETag alone."
        )
        super().__init__(message, fields=[FieldError("If-Match", message, "required")])


class CannotBePublished(RuleViolation):
    """The draft breaks a rule of the running version, or names people or teams that do not exist."""

    code = "POL_INVALID"

    def __init__(self, refusal: Invalid) -> None:
        places = [{"field": each.field, "message": each.message, "code": each.code} for each in refusal.fields]
        first = f" {places[0]['field']}: {places[0]['message']}" if places else ""
        super().__init__(f"The draft cannot be published.{first}", details={"places": places})


@proposable("promotion_policy.publish")
@transactional
def publish_promotion_policy(*, by: Actor, clock: Clock, name: str, if_match: IfMatch | None = None) -> PromotionPolicy:
    """The draft becomes the next immutable version, which new promotions are judged by (domain.md §6).

    Everything that it makes easier is noted as weakening edits. Where the policy guards a protected environment, the
    call makes a proposal, unless a vouched-for person publishes the text of others: that person names the text they
    saw, by `if_match`, and uses no token that another person issued. Raises Http404, Refused (403), TextNotNamed (400),
    PreconditionFailed (412), NothingToPublish (409), SecondPersonNeeded (403), CannotBePublished and Unsatisfiable
    (422).
    """
    by.require(POLICY_PUBLISH)
    policy = lock_promotion_policy(name, by.tenant)
    if if_match is not None:
        if_match.check(promotion_policy_tag(policy))
    tag = promotion_policy_tag(policy)
    if (if_match is None or not if_match.names_one) and not accounts_behind(by).issuperset(policy.drafters):
        raise TextNotNamed(name)
    if policy.draft is None:
        raise NothingToPublish(f"{name} has no draft: everything in it is published.")
    at = clock.now()
    second_person = by.second is not None or check_second_person(by, name, policy.drafters, at)
    if second_person:
        by.require_in_person()
    if second_person and by.second is None:
        check_second_factor(by, at)
    since = policy.created_at if policy.current is None else policy.current.published_at
    authors = accountable_accounts(by.tenant, policy.drafters, since)
    confirms = second_person and accounts_behind(by).isdisjoint(authors)
    confirms = confirms and is_vouched_for(by, POLICY_PUBLISH, against=authors)
    author = policy.draft_by if by.second is None and confirms else None
    before = None if policy.current is None else orjson.loads(policy.current.canonical)
    document = _publishable(policy, before, at)
    if policy.current is not None and policy.current.digest == document.digest:
        raise NothingToPublish(f"The draft of {name} equals the published version: edit it first.")
    add_promotion_version(policy, document, by=by, at=at)
    assert policy.current is not None
    policy.draft, policy.draft_by, policy.drafters = None, None, []
    policy.updated_at, policy.revision = at, policy.revision + 1
    policy.save(update_fields=["draft", "draft_by", "drafters", "current", "updated_at", "revision"])
    weaker = [] if before is None else weakening.in_promotion_policy(before, document.content)
    after = {"document": document.content}
    weakened = Weakening("promotion_policy", str(policy.id), name, tag, {"document": before}, after, authors=authors)
    weakened.add(weaker, policy_name=name, guards=protected_by(policy))
    if before is not None and not second_person and not weakened.guards:
        alone = f"Version {policy.current.version} was published by its author: nobody else could."
        weakened.add([alone], policy_name=name)
    record(
        by=by,
        at=at,
        action="policy.published",
        resource="promotion_policy",
        resource_id=policy.id,
        before={"document": before},
        after={**after, "weakening": weakened.sentences},
        metadata={
            "name": name,
            "version": policy.current.version,
            "digest": document.digest,
            "secondPerson": second_person,
            **drafted(policy.current),
        },
        rows=[policy, *weakened.store(by=by, at=at, author=author)],
    )
    return policy


def _publishable(policy: PromotionPolicy, before: rules.Document | None, at: datetime) -> documents.Document:
    """The draft as a version would hold it. A draft may be older than the running version, so it is read again."""
    try:
        document = documents.promotion_policy(policy.draft)
        rules.check_confirmers(policy.tenant_id, document.content, before, at)
        rules.check_overriders(policy.tenant_id, document.content, before)
        rules.check_trusted_uploaders(policy.tenant_id, document.content, before)
        check_references(policy.tenant_id, document.content, before, sent=document.content)
    except Invalid as refusal:
        raise CannotBePublished(refusal) from refusal
    return document
