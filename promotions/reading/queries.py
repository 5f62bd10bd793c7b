"""Reading promotions and releases for API and pages: every query begins with the tenant."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypedDict, cast
from uuid import UUID

import orjson
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import Http404
from django.shortcuts import get_object_or_404

from environments.models import Environment
from policies.gates import who_can_act
from policies.stored_documents import documents
from promotions.documents.blobs import blobs
from promotions.models import (
    Component,
    Confirmation,
    DecisionRecord,
    EvidenceDocument,
    EvidencePacket,
    Promotion,
    Release,
    Vote,
)
from promotions.models.promotion_vocabulary import NEWEST_DEPLOYED_FIRST, PromotionQuerySet
from promotions.reading import presenters
from promotions.reading.diff import component_diff
from promotions.reading.explanation import changes_of, facts_of
from promotions.reading.promotion_columns import ON_PAGES
from promotions.states import OPEN, VOTING
from promotions.voting.blindness import events_without_votes, gates_shown
from promotions.voting.overrides import freezes_named_by
from promotions.voting.rules import AmbiguousName, NamesNothing
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.audit.models import AuditEvent

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

Document = dict[str, Any]
MAX_TIMELINE = 200


def promotions_of(tenant_id: UUID) -> PromotionQuerySet:
    """The tenant's promotions, newest first, with what their rows show."""
    return (
        Promotion.objects.filter(tenant_id=tenant_id)
        .select_related("release", "target_environment", "source_environment")
        .order_by("-number")
    )


def rows_of(promotions: QuerySet[Promotion]) -> QuerySet[Promotion, Any]:
    """The columns of each promotion in lists (promotions/_rows.html), as plain dicts: reading whole promotions, with
    their gates, releases and environments, took a third of a list's time."""
    rows: QuerySet[Promotion, Any] = promotions.values(*ON_PAGES)
    return rows


def awaiting_decision_by(actor: Actor) -> PromotionQuerySet:
    """The promotions that the person may vote on now, oldest first, with the columns of their rows."""
    return promotions_of(actor.tenant).awaiting_decision_by(actor).order_by("number")


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


def record_of(promotion: Promotion, sequence: int) -> DecisionRecord:
    """The decision record of that number. Http404 when there is none. One statement."""
    return get_object_or_404(DecisionRecord, promotion=promotion, sequence=sequence)


def packets_of(promotion: Promotion) -> list[EvidencePacket]:
    """The signed packets, oldest first, each with `sequence` and `said` of the record that it signs, None for one that
    signs none. One statement."""
    return list(
        promotion.packets.annotate(sequence=F("decision__sequence"), said=F("decision__decision")).order_by(
            "generated_at", "pk"
        )
    )


def acts_of(promotion: Promotion) -> list[Vote | Confirmation]:
    """Votes and confirmations in the order they were given, ended ones included. Two statements."""
    acts: list[Vote | Confirmation] = [*promotion.votes.all(), *promotion.confirmations.all()]
    return sorted(acts, key=lambda act: (act.at, act.pk))


def voters_of(acts: Iterable[Vote | Confirmation]) -> frozenset[str]:
    """Ids, as text, of those whose live vote is among the promotion's ``acts``."""
    return frozenset(str(act.voter_id) for act in acts if isinstance(act, Vote) and act.ended_at is None)


def acts_shown(acts: list[Vote | Confirmation], by: Actor, *, blind: bool) -> list[Vote | Confirmation]:
    """All ``acts``, or only their own for who is ``blind`` to the others'."""
    return [act for act in acts if act.voter_id == by.user_id] if blind else acts


def eligible_voters(promotion: Promotion) -> list[Document]:
    """The people who can still give a missing approval, by username. One statement."""
    return people_of(promotion.open_voters)


def people_of(user_ids: Iterable[UUID | str]) -> list[Document]:
    """Id and names of people, by username. One statement."""
    people = User.objects.filter(pk__in=list(user_ids)).order_by("username")
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
    """The difference between the promotion's release and the running release that its voters see. Three statements at
    most.

    ``promotion`` has its release selected.
    """
    running_id = promotion.subject.get("currentReleaseId")
    running = None if running_id is None else Release.objects.filter(pk=running_id).first()
    return diff_of_releases(promotion.release, running)


def timeline_of(promotion: Promotion, by: Actor, *, blind: bool) -> list[Document]:
    """The audit slice of the promotion that ``by`` is shown, oldest first, without addresses."""
    found = events_of(promotion, by, blind=blind).order_by("timestamp", "pk")
    return [presenters.event(event) for event in found[:MAX_TIMELINE]]


def events_of(promotion: Promotion, by: Actor, *, blind: bool) -> QuerySet[AuditEvent]:
    """The audit events of one promotion; for a reader who is ``blind`` to its votes, those without a trace of them."""
    found = AuditEvent.objects.filter(promotion_id=promotion.pk, tenant_id=promotion.tenant_id)
    return found.filter(events_without_votes(by)) if blind else found


def detail_of(promotion: Promotion, by: Actor, *, blind: bool) -> Document:
    """The whole promotion as the API sends it to ``by``; a constant number of statements."""
    return presenters.detail(
        promotion,
        blind=blind,
        run_id=promotion.started_by_run(),
        record=current_record(promotion),
        acts=acts_shown(acts_of(promotion), by, blind=blind),
        eligible=[] if blind else eligible_voters(promotion),
        diff=diff_of(promotion),
        timeline=timeline_of(promotion, by, blind=blind),
    )


def gates_of(promotion: Promotion, *, blind: bool) -> list[Document]:
    """The gates as last judged, in order: the people each waits for, the facts it read, and the things that can change
    it.

    ``blind``: for a reader from whom the votes are hidden. Cost: one statement for names, and one each for a policy and
    a bundle that were not used lately.
    """
    record = current_record(promotion)
    newer = {gate["name"]: gate["newer"] for gate in promotion.gates if "newer" in gate}
    gates = [newer.get(gate["name"], gate) for gate in orjson.loads(bytes(record.document))["gates"]]
    gate_input = orjson.loads(bytes(record.input))
    waits_for: list[tuple[str, ...]] = [
        who_can_act(gate["type"], gate["kindVersion"], gate["details"]) if promotion.status in VOTING else ()
        for gate in gates
    ]
    wanted = {person for people in waits_for for person in people}
    by_id = {person["id"]: person for person in (people_of(wanted) if wanted else ())}
    settings, bundle = _override_settings(promotion, gate_input), _bundle_of(promotion.tenant_id, gate_input)
    found = []
    for gate, waited in zip(gates, waits_for, strict=True):
        people = [by_id[person] for person in waited if person in by_id]
        changes = changes_of(
            gate,
            people=people,
            setting=settings.get(gate["name"]),
            excepted=_excepted(promotion, gate),
            is_open=promotion.status in OPEN,
        )
        found.append({**gate, "whoCanAct": people, "facts": facts_of(gate, gate_input, bundle), "changes": changes})
    return gates_shown(found, promotion, blind=blind)


def _override_settings(promotion: Promotion, gate_input: Document) -> Document:
    """`override` of each gate of the promotion's policy that has one, by the gate's name."""
    digest = gate_input["requirements"]["promotionPolicy"]["digest"]
    policy = documents(promotion.tenant_id, [digest]).get(digest, {"gates": []})
    return {gate["name"]: gate["override"] for gate in policy["gates"] if "override" in gate}


def _excepted(promotion: Promotion, gate: Document) -> list[str]:
    """Usernames in the exceptions of every active freeze that the gate names. One statement if it names any."""
    if promotion.status not in OPEN:
        return []
    freezes = freezes_named_by(gate, promotion.tenant_id)
    named = [frozenset(each) for each in freezes.values_list("exceptions", flat=True)]
    return sorted(frozenset.intersection(*named)) if named else []


def _bundle_of(tenant_id: UUID, gate_input: Document) -> Document | None:
    """The bundle that the record names, opened, its documents with the ids of their pages. One statement."""
    evidence = gate_input.get("evidence")
    if evidence is None:
        return None
    digest = evidence["bundleDigest"]
    content = blobs([digest]).get(digest)
    if content is None:
        return None
    bundle: Document = orjson.loads(content)
    named = [(each["artifactDigest"], each["digest"]) for each in bundle["documents"]]
    rows = EvidenceDocument.objects.filter(tenant_id=tenant_id, content_id__in=[digest for _, digest in named])
    ids = {
        (artifact, digest): str(pk) for pk, artifact, digest in rows.values_list("pk", "artifact_digest", "content_id")
    }
    for each, name in zip(bundle["documents"], named, strict=True):
        each["id"] = ids.get(name)
    return bundle


def existing_promotion(tenant_id: UUID, promotion_id: UUID) -> Promotion:
    """The bare row. Raises Http404 for ids that the tenant does not have."""
    found = Promotion.objects.filter(tenant_id=tenant_id, pk=promotion_id).first()
    if found is None:
        raise Http404("No such promotion.")
    return found


def promotion_for_tag(tenant_id: UUID, promotion_id: UUID) -> Promotion:
    """The columns that its ETag is made of: a poll that finds nothing new reads no more. Http404 as above."""
    columns = Promotion.objects.only("tenant_id", "number", "version", "status", "blind")
    found = columns.filter(tenant_id=tenant_id, pk=promotion_id).first()
    if found is None:
        raise Http404("No such promotion.")
    return found


def took_part(actor: Actor, promotion_id: UUID) -> bool:
    """Whether the person requested the promotion or is excluded from deciding on it. One statement."""
    mine = Q(requested_by=actor.user_id) | Q(excluded_persons__contains=[actor.user_id])
    return Promotion.objects.filter(mine, tenant_id=actor.tenant, pk=promotion_id).exists()


def release_of(tenant_id: UUID, release_id: UUID) -> Release:
    """One release. Raises Http404 for ids that the tenant does not have."""
    found = Release.objects.filter(tenant_id=tenant_id, pk=release_id).first()
    if found is None:
        raise Http404("No such release.")
    return found


class _Running(TypedDict):
    running: UUID | None


def places_of(release: Release) -> "list[WithAnnotations[Promotion, _Running]]":
    """The newest deployment of the release in each environment, in promotion order, each with its target and the id of
    the promotion that is `running` there. One statement."""
    running = Promotion.objects.running_in(OuterRef("target_environment"), OuterRef("product"))
    deployed = (
        Promotion.objects.deployed()
        .filter(release=release)
        .select_related("target_environment")
        .annotate(running=Subquery(running.values("pk")[:1]))
        .order_by("target_environment_id", *NEWEST_DEPLOYED_FIRST)
        .distinct("target_environment_id")
    )
    found = cast("QuerySet[WithAnnotations[Promotion, _Running]]", deployed)
    return sorted(found, key=lambda each: (each.target_environment.order_index or 0, each.number))


def deployments_of(release: Release) -> list[Document]:
    """`places_of` as the API sends them."""
    return [presenters.deployment(each, current=each.running == each.pk) for each in places_of(release)]


def release_detail_of(release: Release) -> Document:
    """The whole release as the API sends it. Two statements."""
    return presenters.release_detail(release, components=components_of(release.pk), deployments=deployments_of(release))


def diff_of_releases(release: Release, against: Release | None) -> Document:
    """The components of ``release`` that ``against`` does not have. Two statements at most."""
    before = [] if against is None else components_of(against.pk)
    return {
        "against": None if against is None else {"releaseId": str(against.pk), "releaseName": against.name},
        **component_diff(before, components_of(release.pk)),
    }


def environment_named(tenant_id: UUID, name: str, *, field: str) -> UUID:
    """The id of the environment. Raises NamesNothing, for `field`, when the tenant has none of that name."""
    found: UUID | None = Environment.objects.of(tenant_id).filter(name=name).values_list("pk", flat=True).first()
    if found is None:
        raise NamesNothing(field, "environment")
    return found


def release_named(tenant_id: UUID, name: str, product: str | None, *, field: str) -> UUID:
    """The id of the release. Raises NamesNothing, for `field`, when the tenant has none of that name and product;
    AmbiguousName when several products have one and none is given."""
    releases = Release.objects.filter(tenant_id=tenant_id, name=name)
    found = dict((releases if product is None else releases.filter(product=product)).values_list("product", "pk"))
    if not found:
        raise NamesNothing(field, "release")
    if len(found) > 1:
        raise AmbiguousName(name, sorted(found))
    return next(iter(found.values()))
