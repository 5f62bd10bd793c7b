"""The content of an evidence packet (domain.md §8).

Of people only account id, username and display name, as they were then: never an e-mail address, a network address or a
user agent.
"""

from functools import lru_cache
from typing import Any

from policies.facts import Vote
from promotions.judging.commit_authors import EXTERNAL
from promotions.judging.facts import Facts
from promotions.models import Installation, Promotion

CONTENT_SCHEMA = "stella.packet-content/v1"
OF_SOURCE = ("repository", "commitSha", "branch", "buildId", "pipelineUrl")


@lru_cache(maxsize=1)
def installation_id() -> str:
    """The id that every packet of this installation carries, read once: it never changes."""
    return stored_installation_id()


def stored_installation_id() -> str:
    """As it stands now: a verification compares it with the packets. One statement."""
    return str(Installation.objects.values_list("installation_id", flat=True).get())


def packet_content(
    promotion: Promotion,
    facts: Facts,
    *,
    record_digest: str,
    input_digest: str,
    records: list[dict[str, Any]],
    votes: list[Vote],
    decision: dict[str, Any],
    execution: dict[str, Any] | None,
) -> dict[str, Any]:
    """The content of a packet of any type. ``record_digest`` is that of the stored bytes of the record that
    ``decision`` names, ``input_digest`` that of its gate input; ``records`` are those since the previous packet."""
    requirements = facts.gate_input["requirements"]
    source, target = promotion.source_environment, promotion.target_environment
    content: dict[str, Any] = {
        "schema": CONTENT_SCHEMA,
        "installationId": installation_id(),
        "lastSealedAuditHead": facts.audit_head,
        "lastSealedSystemHead": facts.system_head,
        "recordDigest": record_digest,
        "inputDigest": input_digest,
        "records": records,
        "promotion": {
            "id": str(promotion.id),
            "number": promotion.number,
            "reason": promotion.reason,
            "requestedAt": facts.gate_input["promotion"]["requestedAt"],
            "isRollback": promotion.is_rollback,
        },
        "change": promotion.change,
        "release": {
            "id": str(promotion.release_id),
            "name": promotion.release.name,
            "displayName": facts.release["displayName"] or None,
            "product": promotion.product,
            "createdBy": facts.release["createdBy"],
            "sourceRef": _source_of(facts.release),
            "manifestDigest": facts.manifest_digest,
            "components": facts.components,
        },
        "environment": {
            "id": str(target.id),
            "name": target.name,
            "isProduction": target.is_production,
            "source": None if source is None else {"id": str(source.id), "name": source.name},
        },
        "actors": {
            "requester": {
                "id": str(promotion.requested_by_id),
                "username": promotion.requested_by_username,
                "displayName": promotion.requested_by_name,
            },
            "approvers": [_approver(vote) for vote in votes],
            "excluded": requirements["excludedPersons"],
        },
        "decision": decision,
        "weakeningEdits": facts.weakening_edits,
        "execution": execution,
        "previous": None if promotion.evidence_packet_id is None else {"packetId": str(promotion.evidence_packet_id)},
    }
    if facts.is_demo:
        content["demo"] = True
    return content


def _approver(vote: Vote) -> dict[str, Any]:
    return {
        "id": vote["voterId"],
        "username": vote["username"],
        "displayName": vote["displayName"],
        "teams": vote["teams"],
        "verdict": vote["verdict"],
        "comment": vote["reason"] or None,
        "at": vote["at"],
    }


def _source_of(release: dict[str, Any]) -> dict[str, Any] | None:
    """sourceRef as it is signed: every author by the ids of the accounts they are known by here, else by name."""
    given = release["sourceRef"]
    if given is None:
        return None
    authors = [name for each in release["authors"] for name in each["accounts"] or [_external(each["name"])]]
    return {**{name: given.get(name) for name in OF_SOURCE}, "authors": list(dict.fromkeys(authors))}


def _external(author: str) -> str:
    """An author without an account here, without the host of their e-mail address: `external:Dana Fox`."""
    name = author.strip()
    if name.lower().startswith(EXTERNAL):
        name = name[len(EXTERNAL) :]
    name = name.partition("<")[0].strip() or name.strip("<> ")
    return EXTERNAL + (" ".join(word.partition("@")[0] for word in name.split()) or "unknown")
