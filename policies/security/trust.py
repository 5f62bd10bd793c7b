"""The uploaders and signers whose good news counts: VEX statements and clean scans (domain.md §6)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from policies.document_facts import DocumentFact, EvidenceFact
from policies.facts import GateInput, exclusions

Because = Literal["requester", "excluded", "notNamed"]
"""The reason against a document, in an order: the later, the less is missing for it to be believed."""

_NEAREST_FIRST: Final[tuple[Because, ...]] = ("requester", "excluded", "notNamed")


def live_keys(evidence: EvidenceFact, named: Iterable[str]) -> frozenset[str]:
    """Key ids that the tenant trusts now and that the policy names, by id or by name."""
    wanted = frozenset(named)
    return frozenset(key["keyId"] for key in evidence["trustedKeys"] if key["keyId"] in wanted or key["name"] in wanted)


@dataclass(frozen=True, slots=True)
class Doubt:
    """The reason against a document. `usernames`: the people who stand in the way, whom the promotion shows."""

    because: Because
    usernames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trust:
    """`keys`: ids of keys; `uploaders`: usernames; `barred`: ids of people whose uploads never count here, among them
    the `requester`."""

    keys: frozenset[str]
    uploaders: frozenset[str]
    barred: frozenset[str]
    requester: str

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

    def doubt(self, documents: Iterable[DocumentFact]) -> Doubt:
        """The doubt about these documents, none of which is believed: of several reasons the one that lacks least."""
        doubts = [self._doubt(document) for document in documents]
        return min(doubts, key=lambda each: (_NEAREST_FIRST.index(each.because), each.usernames))

    def _doubt(self, document: DocumentFact) -> Doubt:
        people = document["uploadedBy"]
        requesters = tuple(person["username"] for person in people if person["id"] == self.requester)
        if requesters:
            return Doubt("requester", requesters)
        excluded = tuple(sorted(person["username"] for person in people if person["id"] in self.barred))
        return Doubt("excluded", excluded) if excluded else Doubt("notNamed")


def trust_of(facts: GateInput, evidence: EvidenceFact, config: Mapping[str, Any]) -> Trust:
    """The uploaders and keys that a gate's config trusts on this promotion: without the requester and excluded
    people."""
    requester = facts["promotion"]["requestedById"]
    return Trust(
        keys=live_keys(evidence, config["trustedKeys"]),
        uploaders=frozenset(config["trustedUploaders"]),
        barred=frozenset({*exclusions(facts["requirements"]), requester}),
        requester=requester,
    )
