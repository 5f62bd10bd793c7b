"""The people who may vote on a promotion, computed from its gate input (domain.md §5, §6)."""

from policies import overrides
from policies.facts import Candidate, GateInput, exclusions
from policies.library import Documents, candidates


def electorate(facts: GateInput, documents: Documents) -> dict[str, Candidate]:
    """The people who may vote or confirm, by id: without the requester, excluded people and people who overrode a gate
    here.

    DocumentMissing and DocumentUnusable as from ``candidates``.
    """
    never = {*overrides.overriders(facts), *exclusions(facts["requirements"]), facts["promotion"]["requestedById"]}
    return {
        person["id"]: person
        for person in candidates(documents, facts["candidates"])
        if person["exclusion"] is None and person["id"] not in never
    }
