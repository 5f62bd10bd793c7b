"""Reading promotions and releases for API and pages: every query begins with the tenant."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from promotions import presenters
from promotions.diff import component_diff
from promotions.models import Component, Confirmation, DecisionRecord, Promotion, Release, Vote
from promotions.states import VOTING
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import PROMOTION_APPROVE
from stellapromote.audit.models import AuditEvent
from stellapromote.clock import rfc3339

Document = dict[str, Any]
MAX_TIMELINE = 200


def promotions_of(tenant_id: UUID) -> QuerySet[Promotion]:
    """The tenant's promotions, newest first, with what their rows show."""
    return (
        Promotion.objects.filter(tenant_id=tenant_id)
        .select_related("release", "target_environment", "source_environment")
        .order_by("-number")
    )


def awaiting_decision_by(actor: Actor) -> QuerySet[Promotion]:
    """What the person may vote on now, oldest first; nothing for machines and without the right to approve."""
    found = promotions_of(actor.tenant).order_by("number")
    if actor.kind != "person" or not actor.has(PROMOTION_APPROVE):
        return found.none()
    return found.filter(status__in=sorted(VOTING), open_voters__contains=[actor.user_id])


def promotion_of(tenant_id: UUID, promotion_id: UUID) -> Promotion:
    """One promotion with what its page shows. Raises Http404 for ids the tenant does not have."""
    found = promotions_of(tenant_id).select_related("decision", "evidence_packet").filter(pk=promotion_id).first()
    if found is None:
        raise Http404("No such promotion.")
    return found


def current_record(promotion: Promotion) -> DecisionRecord:
    """The decision record in force; every promotion has one from its creation."""
    record = promotion.decision
    if record is None:
        raise Http404("No decision is recorded yet.")
    return record


def acts_of(promotion: Promotion) -> list[Vote | Confirmation]:
    """Votes and confirmations in the order they were given, ended ones included. Two statements."""
    acts: list[Vote | Confirmation] = [*promotion.votes.all(), *promotion.confirmations.all()]
    return sorted(acts, key=lambda act: (act.at, act.pk))


def eligible_voters(promotion: Promotion) -> list[Document]:
    """Who can still give what is missing, by username. One statement."""
    people = User.objects.filter(pk__in=promotion.open_voters).order_by("username")
    return [{"id": str(p.pk), "username": p.username, "displayName": p.display_name} for p in people]


def components_of(release_id: UUID) -> list[Document]:
    """A release's components by name, in wire names."""
    return [component_document(c) for c in Component.objects.filter(release_id=release_id).order_by("name")]


def component_document(component: Component) -> Document:
    return {
        "name": component.name,
        "imageRepository": component.image_repository,
        "digest": component.digest or None,
        "tag": component.tag or None,
        "semver": component.semver or None,
        "role": component.role,
    }


def diff_of(promotion: Promotion) -> Document:
    """What the promotion would change against the release its voters see as running. At most three statements."""
    running_id = promotion.subject.get("currentReleaseId")
    running = None if running_id is None else Release.objects.filter(pk=running_id).first()
    before = [] if running is None else components_of(running.pk)
    return {
        "against": None if running is None else {"releaseId": str(running.pk), "releaseName": running.name},
        **component_diff(before, components_of(promotion.release_id)),
    }


def timeline_of(promotion: Promotion) -> list[Document]:
    """The audit slice of the promotion, oldest first, without addresses."""
    events = AuditEvent.objects.filter(promotion_id=promotion.pk, tenant_id=promotion.tenant_id).order_by(
        "timestamp", "pk"
    )
    return [
        {
            "id": str(event.pk),
            "at": rfc3339(event.timestamp),
            "action": event.action,
            "actorId": None if event.actor_id is None else str(event.actor_id),
            "actorName": event.actor_name,
            "before": event.before,
            "after": event.after,
            "metadata": event.metadata,
        }
        for event in events[:MAX_TIMELINE]
    ]


def detail_of(promotion: Promotion) -> Document:
    """The whole promotion as the API sends it; a constant number of statements."""
    return presenters.detail(
        promotion,
        record=current_record(promotion),
        acts=acts_of(promotion),
        eligible=eligible_voters(promotion),
        diff=diff_of(promotion),
        timeline=timeline_of(promotion),
    )
