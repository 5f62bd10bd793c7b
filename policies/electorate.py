"""Who may vote on a promotion, out of its gate input (domain.md §5, §6)."""

from policies import overrides
from policies.facts import Candidate, GateInput, exclusions
from policies.library import Documents, candidates


def electorate(facts: GateInput, documents: Documents) -> dict[str, Candidate]:
    """Everybody who may vote or confirm, by id. The requester, the excluded and who overrode a gate here never do.

    DocumentMissing and DocumentUnusable as from ``candidates``.
    """
    never = {*overrides.overriders(facts), *exclusions(facts["requirements"]), facts["promotion"]["requestedById"]}
    return {
        person["id"]: person
        for person in candidates(documents, facts["candidates"])
        if person["exclusion"] is None and person["id"] not in never
    }
