"""All facts of an evaluation, gathered by one SQL statement, so that it is one consistent view (domain.md §7).

The result of ``gather_facts`` is the gate input: the judged bytes are the stored bytes, and replay reads those.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson

from environments.models.freeze_window import concerning_sql, standing_at_sql
from policies import gates
from policies.eligibility import ACCOUNT_ACTED, requesters_of
from policies.facts import SCHEMA, GateInput, Span, candidates_fact, policies_named
from policies.gates.approval import version_3 as approval_of_owners
from policies.models.weakening_edit import REMEMBERED
from policies.windows import intervals
from promotions.documents.bundles import BundleContent
from promotions.documents.manifest import manifest_digest
from promotions.judging.act_facts import CONFIRMATION, OVERRIDE, VOTE
from promotions.judging.candidates import APPROVING_ROLES, acts_in, candidates_in
from promotions.judging.collected_facts import read_fresh_facts
from promotions.judging.dependencies import observe_dependencies
from promotions.judging.document_gathering import gather_documents
from promotions.judging.held_accounts import Confirmed, Held, after_another, held_of
from promotions.judging.signed_overrides import signed_overrides
from promotions.judging.subject import SUBJECT_SCHEMA, Subject
from promotions.judging.subject import subject_digest as digest_of_subject
from promotions.models import Blob, Promotion
from promotions.models.promotion_vocabulary import deployed_in_sql, running_sql
from promotions.models.worker import SILENT
from stellapromote.accounts.vouching import GRANTING_ROLES
from stellapromote.clock import rfc3339
from stellapromote.database_clock import SINCE, TOLERANCE, rfc3339_sql
from stellapromote.fastpath.prepared import fetch
from stellapromote.signing.canonical_json import canonical_bytes

# Freezes that begin later are not in a gate input: the promotion is judged again by then at the latest.
FREEZE_HORIZON = timedelta(days=31)

_VOTING = ", ".join(f"'{role}'" for role in APPROVING_ROLES)
_GRANTING = ", ".join(f"'{role}'" for role in GRANTING_ROLES)


def _source(grant: str) -> str:
    """Where a grant comes from, for promotions.judging.candidates; null for the command line and directories
    (policies/vouching.py)."""
    return f"""CASE WHEN {grant}.granted_via = 'page' THEN json_build_array(
        array_append({grant}.granted_behind, {grant}.granted_by_id), {grant}.granted_at, {grant}.granted_under_id,
        {grant}.confirmed_at, {grant}.confirmed_by_id, {grant}.confirmed_under_id) END"""


def _held_by_voters(parts: str, name: str, grants: str) -> str:
    """The grants of each person with a voting role, as `held`: ``parts`` of each in the order of ``name``; ``grants``:
    their table as `r`. They are read together: a subquery for each of 500 people took twice as long. The parts have no
    names, and their instants are as PostgreSQL writes them: no gate input holds them."""
    return f"""
      SELECT r.user_id, json_agg(json_build_array({parts}) ORDER BY {name}) AS held
      FROM {grants}
      WHERE r.tenant_id = p.tenant_id AND r.ended_at IS NULL AND r.user_id IN (
        SELECT v.user_id FROM accounts_rolegrant v
        WHERE v.tenant_id = p.tenant_id AND v.role IN ({_VOTING}) AND v.ended_at IS NULL)
      GROUP BY r.user_id"""  # noqa: S608


_ROLES_HELD = _held_by_voters(f"role, r.granted_at, {_source('r')}, products", "role", "accounts_rolegrant r")
_TEAMS_HELD = _held_by_voters(
    f"slug, r.granted_at, {_source('r')}",
    "slug",
    "accounts_teamgrant r JOIN accounts_team team ON team.id = r.team_id",
)

# About a promotion `p`, stored or not yet. What the instant of evaluation decides is read a little wider, since the
# instant may turn out up to TOLERANCE later (not_before): `StoredFacts` narrows it.
FACTS = f"""
json_build_object(
  'votes', (
    SELECT coalesce(json_agg({VOTE.sql} ORDER BY v.at, v.id), '[]')
    FROM promotions_vote v WHERE v.promotion_id = p.id AND v.ended_at IS NULL),
  'confirmations', (
    SELECT coalesce(json_agg({CONFIRMATION.sql} ORDER BY v.at, v.id), '[]')
    FROM promotions_confirmation v WHERE v.promotion_id = p.id AND v.ended_at IS NULL),
  'overrides', (
    SELECT coalesce(json_agg({OVERRIDE.sql} ORDER BY o.recorded_at, o.id), '[]')
    FROM promotions_override o WHERE o.promotion_id = p.id),
  'freezes', (
    SELECT coalesce(json_agg(json_build_object(
        'id', f.id, 'name', f.name, 'scope', CASE WHEN f.environment_id IS NULL THEN 'tenant' ELSE 'environment' END,
        'start', {rfc3339_sql("f.starts_at")}, 'end', {rfc3339_sql("f.ends_at")}, 'reason', f.reason,
        'createdByName', f.created_by_name) ORDER BY f.starts_at, f.id), '[]')
    FROM environments_freezewindow f
    WHERE f.tenant_id = p.tenant_id AND {standing_at_sql(SINCE)}
      AND f.starts_at <= {SINCE} + interval '{int((FREEZE_HORIZON + TOLERANCE).total_seconds())} seconds'
      AND {concerning_sql("p.target_environment_id", "p.product")}),
  'people', (
    SELECT coalesce(json_agg(json_build_object(
        'id', u.id, 'username', u.username, 'kind', u.kind, 'roles', roles.held, 'teams', coalesce(teams.held, '[]'))
        ORDER BY u.username), '[]')
    FROM ({_ROLES_HELD}) roles
    JOIN accounts_user u ON u.id = roles.user_id AND u.is_active
    JOIN accounts_membership m ON m.tenant_id = p.tenant_id AND m.user_id = u.id AND m.ended_at IS NULL
    LEFT JOIN ({_TEAMS_HELD}) teams ON teams.user_id = u.id),
  'authorities', (
    SELECT coalesce(json_object_agg(r.id, {_source("r")}), '{{}}') FROM accounts_rolegrant r
    WHERE r.tenant_id = p.tenant_id AND (r.role IN ({_GRANTING}) OR r.id IN (
      SELECT c.confirmed_under_id FROM accounts_rolegrant c
      WHERE c.tenant_id = p.tenant_id AND c.confirmed_under_id IS NOT NULL
      UNION ALL SELECT c.confirmed_under_id FROM accounts_teamgrant c
      WHERE c.tenant_id = p.tenant_id AND c.confirmed_under_id IS NOT NULL))),
  'held', (
    SELECT coalesce(json_agg(json_build_array(h.user_id, to_json(h.holders)) ORDER BY h.id), '[]')
    FROM accounts_heldaccount h WHERE h.tenant_id = p.tenant_id AND h.confirmed_at IS NULL),
  'confirmedSince', (
    SELECT coalesce(json_agg(json_build_array(h.user_id, to_json(h.holders), {rfc3339_sql("h.confirmed_at")})
                    ORDER BY h.id), '[]')
    FROM accounts_heldaccount h WHERE h.tenant_id = p.tenant_id AND h.confirmed_at >= p.requested_at),
  'current', (
    {running_sql("d.release_id", environment="p.target_environment_id", product="p.product")}),
  'sourceDeployed', EXISTS (
    SELECT 1 FROM promotions_promotion d
    WHERE {deployed_in_sql("p.source_environment_id")} AND d.release_id = p.release_id),
  'components', (
    SELECT coalesce(json_agg(json_build_object('name', c.name, 'imageRepository', c.image_repository,
                    'digest', c.digest, 'role', c.role, 'tag', c.tag, 'semver', c.semver) ORDER BY c.name), '[]')
    FROM promotions_component c WHERE c.release_id = p.release_id),
  'release', (
    SELECT json_build_object(
        'displayName', r.display_name, 'sourceRef', r.source_ref,
        'createdBy', json_build_object('id', u.id, 'username', u.username, 'displayName', r.created_by_name),
        'authors', (
          SELECT coalesce(json_agg(json_build_object('name', named.author, 'accounts', (
            SELECT coalesce(json_agg(a.id ORDER BY a.id), '[]') FROM accounts_user a
            WHERE a.id IN (
                SELECT m.user_id FROM accounts_membership m WHERE m.tenant_id = p.tenant_id
                UNION ALL SELECT s.user_id FROM accounts_serviceaccount s WHERE s.tenant_id = p.tenant_id)
              AND (lower(a.username) IN (named.label, named.address) OR lower(a.email) IN (named.label, named.address))
            )) ORDER BY named.place), '[]')
          FROM (
            SELECT each.author, each.place, lower(btrim(each.author)) AS label,
              nullif(lower(rtrim(regexp_replace(each.author, '^.*<', ''), '> ')), '') AS address
            FROM jsonb_array_elements_text(
              CASE jsonb_typeof(r.source_ref -> 'authors') WHEN 'array' THEN r.source_ref -> 'authors' ELSE '[]' END
            ) WITH ORDINALITY AS each (author, place) WHERE each.author IS NOT NULL) AS named))
    FROM promotions_release r JOIN accounts_user u ON u.id = r.created_by_id WHERE r.id = p.release_id),
  'recordsSincePacket', (
    SELECT coalesce(json_agg(json_build_object('id', d.id, 'sequence', d.sequence,
                    'digest', 'sha256:' || encode(sha256(d.document), 'hex')) ORDER BY d.sequence), '[]')
    FROM promotions_decisionrecord d
    WHERE d.promotion_id = p.id AND d.sequence > (
      SELECT coalesce(max(sealed.sequence), 0) FROM promotions_evidencepacket k
      JOIN promotions_decisionrecord sealed ON sealed.id = k.decision_id WHERE k.promotion_id = p.id)),
  'weakeningEdits', (
    SELECT coalesce(json_agg(json_build_object('at', {rfc3339_sql("w.at")}, 'by', w.actor_username, 'what', w.what,
                                               'confirmedAt', {rfc3339_sql("w.confirmed_at")},
                                               'confirmedBy', nullif(w.confirmed_by_username, ''),
                                               'policy', w.policy_name) ORDER BY w.at, w.id), '[]')
    FROM policies_weakeningedit w
    WHERE w.tenant_id = p.tenant_id AND w.at > {SINCE} - interval '{REMEMBERED.days} days'
      AND (w.environment_id IS NULL OR w.environment_id = p.target_environment_id)),
  'signingKeyUsable', EXISTS (
    SELECT 1 FROM promotions_publicsigningkey k WHERE k.key_id = %(key)s AND k.retired_at IS NULL),
  'evidenceMismatch', EXISTS (
    SELECT 1 FROM promotions_evidencefinding e WHERE e.promotion_id = p.id AND e.gone_at IS NULL),
  'kindVersions', (
    SELECT coalesce(json_agg(DISTINCT h.kind_versions::text), '[]') FROM promotions_workerheartbeat h
    WHERE h.at > {SINCE} - interval '{SILENT.total_seconds():.0f} seconds'
      AND h.at <= {SINCE} + interval '{TOLERANCE.total_seconds():.0f} seconds'),
  'isDemo', (SELECT t.is_demo FROM accounts_tenant t WHERE t.id = p.tenant_id),
  'secondFactorFrom', (
    SELECT {rfc3339_sql("f.second_factor_from")} FROM accounts_signinsettings f WHERE f.tenant_id = p.tenant_id),
  'auditHead', (
    SELECT json_build_object('sequence', l.sequence, 'eventHash', encode(l.event_hash, 'hex'))
    FROM audit_auditlink l WHERE l.tenant_id = p.tenant_id ORDER BY l.sequence DESC LIMIT 1),
  'systemHead', (
    SELECT encode(l.event_hash, 'hex')
    FROM audit_auditlink l WHERE l.tenant_id IS NULL ORDER BY l.tenant_id DESC, l.sequence DESC LIMIT 1)
)::text
"""  # noqa: S608 - the parts are constants of this module

_ALONE = f"""
SELECT {FACTS} FROM (VALUES (%(promotion)s::uuid, %(tenant)s::uuid, %(target)s::uuid, %(source)s::uuid,
                             %(release)s::uuid, %(product)s::text, %(requestedAt)s::timestamptz))
    AS p (id, tenant_id, target_environment_id, source_environment_id, release_id, product, requested_at)
"""  # noqa: S608 - the part is a constant of this module


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """The result of one statement about a promotion and a key, for the instant ``since`` and up to ``TOLERANCE``
    later."""

    signing_key_id: str | None
    since: datetime
    row: dict[str, Any]

    def covers(self, signing_key_id: str | None, at: datetime) -> bool:
        return signing_key_id == self.signing_key_id and self.since <= at <= self.since + TOLERANCE

    def freezes(self, at: datetime) -> list[dict[str, Any]]:
        """Windows that are not over at the instant and begin within the horizon."""
        now, horizon = rfc3339(at), rfc3339(at + FREEZE_HORIZON)
        return [each for each in self.row["freezes"] if each["end"] > now and each["start"] <= horizon]

    def weakening_edits(self, at: datetime, policies: Collection[str]) -> list[dict[str, Any]]:
        """The edits of the 30 days before the instant, of these policies or of no policy."""
        begin, now = rfc3339(at - REMEMBERED), rfc3339(at)
        return [
            {name: each[name] for name in ("at", "by", "what", "confirmedAt", "confirmedBy")}
            for each in self.row["weakeningEdits"]
            if begin < each["at"] <= now and (not each["policy"] or each["policy"] in policies)
        ]


@dataclass(frozen=True, slots=True)
class Facts:
    """The gate input, and what the evidence packet says beside it. ``blobs`` are kept with a record that names them;
    ``documents`` are stored already. ``manifest_digest`` is computed from ``components``, ``release_manifest`` is the
    same if the release has it, else None; ``records`` are those since the last packet, as `{id, sequence, digest}`.
    ``held``: the holders of each held account of the tenant; ``confirmed``: those confirmed since the request;
    ``may_act``: of the accounts that these are about, the candidates who may vote if no account alike acted first."""

    gate_input: GateInput
    subject: Subject
    people: dict[str, dict[str, Any]]
    components: list[dict[str, Any]]
    manifest_digest: str
    release_manifest: str | None
    release: dict[str, Any]
    records: list[dict[str, Any]]
    weakening_edits: list[dict[str, Any]]
    audit_head: dict[str, Any] | None
    system_head: str | None
    is_demo: bool
    second_factor_from: str | None
    blobs: dict[str, bytes]
    documents: dict[str, bytes]
    held: Held
    confirmed: Confirmed
    may_act: frozenset[str]

    def note_acts(self) -> None:
        """Brings the candidates in line with the acts that the gate input has by now: of accounts alike, the one that
        acted first decides. More candidates than stand in a gate input stay as they were read."""
        candidates = self.gate_input["candidates"]
        if not self.may_act or not isinstance(candidates, list):
            return
        after = after_another(self.held, acts_in(self.gate_input), self.confirmed)
        for each in candidates:
            if each["id"] in self.may_act:
                each["exclusion"] = ACCOUNT_ACTED if each["id"] in after else None

    def requires_second_factor(self, at: datetime) -> bool:
        """Of people who decide, by the settings of the tenant."""
        return self.second_factor_from is not None and self.second_factor_from <= rfc3339(at)


def gather_facts(
    promotion: Promotion,
    *,
    requirements: dict[str, Any],
    policy: dict[str, Any],
    signing_key_id: str | None,
    at: datetime,
    unstored: BundleContent | None = None,
    reading: StoredFacts | None = None,
) -> Facts:
    """Facts about ``promotion`` at the instant ``at``, read under its lock.

    Cost: one statement unless ``reading`` covers instant and key, one more for each dependency gate of the policy, and
    one for a promotion with an evidence bundle. ``promotion`` need not be stored yet; ``unstored`` is the bundle of a
    promotion that is only previewed. A key that another process has retired meanwhile signs nothing any more.
    """
    if reading is None or not reading.covers(signing_key_id, at):
        reading = _read(promotion, signing_key_id, at)
    row = reading.row
    manifest = manifest_digest(row["components"])
    # Of a release whose components were changed behind its manifestDigest there is none that anything could pass with.
    release_manifest = manifest if manifest == promotion.release.manifest_digest else None
    policies = {each["name"] for each in policies_named(requirements)}
    subject: Subject = {
        "schema": SUBJECT_SCHEMA,
        "promotionId": str(promotion.id),
        "releaseId": str(promotion.release_id),
        "manifestDigest": release_manifest or "",
        "sourceEnvironmentId": _text(promotion.source_environment_id),
        "targetEnvironmentId": str(promotion.target_environment_id),
        "isRollback": promotion.is_rollback,
        "currentReleaseId": row["current"],
        "requirementsDigest": promotion.requirements_digest,
        "evidenceBundleDigest": promotion.evidence_bundle_digest,
    }
    subject_digest = digest_of_subject(subject)
    evidence = gather_documents(promotion, row["current"], unstored)
    outside = read_fresh_facts(promotion, policy, subject_digest=subject_digest, at=at)
    held = held_of(row["held"])
    listed, may_act = candidates_in(row, requirements, promotion, held, row["confirmedSince"])
    candidates, blobs = candidates_fact(listed)
    release, target, source = promotion.release, promotion.target_environment, promotion.source_environment
    kinds = gates.current_versions(
        (gate["kind"] for gate in policy["gates"]), elsewhere=[orjson.loads(each) for each in row["kindVersions"]]
    )
    if "product" in requirements:
        # An older judge refuses @owners for good: one process of an earlier version would end every such promotion.
        kinds["approval"] = max(kinds["approval"], approval_of_owners.KIND_VERSION)
    gate_input = {
        "schema": SCHEMA,
        "instant": rfc3339(at),
        "kinds": kinds,
        "promotion": {
            "id": str(promotion.id),
            "number": promotion.number,
            "product": promotion.product,
            "isRollback": promotion.is_rollback,
            "requestedAt": rfc3339(promotion.requested_at),
            "requestedById": str(promotion.requested_by_id),
            "change": promotion.change,
        },
        "release": {
            "id": str(release.id),
            "name": release.name,
            "status": release.status,
            "manifestDigest": release_manifest,
        },
        "source": None
        if source is None
        else {"id": str(source.id), "name": source.name, "deployed": row["sourceDeployed"]},
        "target": {
            "id": str(target.id),
            "name": target.name,
            "isProduction": target.is_production,
            "archived": target.archived_at is not None,
            "currentReleaseId": row["current"],
        },
        "subject": {"digest": subject_digest, "manifestDigest": promotion.manifest_digest},
        "requirements": requirements,
        "requirementsDigest": promotion.requirements_digest,
        "signing": {"available": row["signingKeyUsable"]},
        "freezes": reading.freezes(at),
        "schedules": schedules_of(policy),
        "votes": row["votes"],
        "confirmations": row["confirmations"],
        "candidates": candidates,
        "dependencies": observe_dependencies(
            policy, tenant_id=promotion.tenant_id, product=promotion.product, at=at, health=outside.health
        ),
        "policyAnswers": dict(outside.answers),
        "supersededBy": None,
        "evidence": evidence.fact,
        "overrides": signed_overrides(promotion.id, row["overrides"]),
        "evidenceMismatch": row["evidenceMismatch"],
        "failingSince": {gate["name"]: gate["failingSince"] for gate in promotion.gates if "failingSince" in gate},
        "requestingPersons": requesters_of(map(str, promotion.requesting_persons), requirements["excludedPersons"]),
    }
    return Facts(
        gate_input=cast("GateInput", gate_input),
        subject=subject,
        people={person["id"]: person for person in row["people"]},
        components=row["components"],
        manifest_digest=manifest,
        release_manifest=release_manifest,
        release=row["release"],
        records=row["recordsSincePacket"],
        weakening_edits=reading.weakening_edits(at, policies),
        audit_head=row["auditHead"],
        system_head=row["systemHead"],
        is_demo=row["isDemo"],
        second_factor_from=row["secondFactorFrom"],
        blobs={key: canonical_bytes(blob) for key, blob in blobs.items()} | evidence.extracts,
        documents=evidence.documents,
        held=held,
        confirmed=row["confirmedSince"],
        may_act=may_act,
    )


def store_blobs(blobs: dict[str, bytes]) -> None:
    """Keeps large facts that a record is about to name by digest."""
    if blobs:
        Blob.objects.bulk_create(
            [Blob(digest=key, content=content) for key, content in blobs.items()], ignore_conflicts=True
        )


def values_for_facts(signing_key_id: str | None, fixed: datetime | None) -> dict[str, Any]:
    """The parameters of ``FACTS`` beside the promotion; ``fixed``: the instant of a fixed clock."""
    return {"key": signing_key_id, "fixed": fixed}


def _read(promotion: Promotion, signing_key_id: str | None, at: datetime) -> StoredFacts:
    about = {
        "promotion": promotion.id,
        "tenant": promotion.tenant_id,
        "target": promotion.target_environment_id,
        "source": promotion.source_environment_id,
        "release": promotion.release_id,
        "product": promotion.product,
        "requestedAt": promotion.requested_at,
    }
    [(text,)] = fetch(_ALONE, about | values_for_facts(signing_key_id, at))
    return StoredFacts(signing_key_id, at, orjson.loads(text))


def schedules_of(policy: dict[str, Any]) -> dict[str, list[Span]]:
    """Allowed windows of every schedule gate as absolute UTC intervals (domain.md §2)."""
    return {
        gate["name"]: intervals(gate["config"]["windows"], gate["config"]["timezone"])
        for gate in policy["gates"]
        if gate["kind"] == "schedule"
    }


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)
