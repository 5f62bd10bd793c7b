"""Whose documents count for good news: VEX statements and clean scans (domain.md §6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from policies.evidence_facts import DocumentFact, EvidenceFact
from policies.facts import GateInput


def live_keys(evidence: EvidenceFact, named: Iterable[str]) -> frozenset[str]:
    """Key ids that the tenant trusts now and that the policy names, by id or by name."""
    wanted = frozenset(named)
    return frozenset(key["keyId"] for key in evidence["trustedKeys"] if key["keyId"] in wanted or key["name"] in wanted)


@dataclass(frozen=True, slots=True)
class Trust:
    """`keys`: ids of keys; `uploaders`: usernames; `barred`: ids of people whose uploads never count here."""

    keys: frozenset[str]
    uploaders: frozenset[str]
    barred: frozenset[str]

    def holds_for(self, document: DocumentFact) -> bool:
        """Signed by such a key, or uploaded by such people.

        What a machine uploads counts as done by all of its people (domain.md §5): each must be named, none barred.
        """
        if document["signer"] is not None and document["signer"] in self.keys:
            return True
        people = document["uploadedBy"]
        return bool(people) and all(
            person["username"] in self.uploaders and person["id"] not in self.barred for person in people
        )


def trust_of(facts: GateInput, evidence: EvidenceFact, config: Mapping[str, Any]) -> Trust:
    """What a gate's config trusts on this promotion: never the requester, nor anybody who is excluded."""
    barred = {person["id"] for person in facts["requirements"]["excludedPersons"]}
    barred.add(facts["promotion"]["requestedById"])
    return Trust(
        keys=live_keys(evidence, config["trustedKeys"]),
        uploaders=frozenset(config["trustedUploaders"]),
        barred=frozenset(barred),
    )
