"""The people whose vote or confirmation some open requirement can use now, from a gate input (domain.md §5): pure."""

from collections.abc import Mapping
from typing import Any

from policies.electorate import electorate
from policies.facts import GateInput, approval_policies_of, owners_of, policy_of
from policies.matching import match
from policies.requirements import Rule, all_of

Documents = Mapping[str, dict[str, Any]]


def approval_voters(gate_input: GateInput, documents: Documents) -> set[str]:
    """Ids of eligible people without a vote whose approval would fill a place."""
    people = electorate(gate_input, documents)
    wanted = gate_input["requirements"]
    policies = approval_policies_of(wanted, documents)
    votes = [vote for vote in gate_input["votes"] if vote["voterId"] in people]
    voted = {vote["voterId"] for vote in votes}
    found: set[str] = set()
    for requirement in all_of(wanted["requiredApprovals"], policies, owners_of(wanted)):
        open_rules = match(
            requirement.places, [requirement.abilities(vote["username"], vote["teams"]) for vote in votes]
        ).open_rules()
        found.update(
            person["id"]
            for person in people.values()
            if person["id"] not in voted
            and not open_rules.isdisjoint(requirement.abilities(person["username"], person["teams"]))
        )
    return found


def gate_confirmers(gate_input: GateInput, documents: Documents, gate_name: str) -> set[str]:
    """Ids of eligible people who may confirm the manual gate and have not."""
    rule = confirmers(policy_of(gate_input["requirements"], documents), gate_name)
    if rule is None:
        return set()
    given = {act["voterId"] for act in gate_input["confirmations"] if act["gate"] == gate_name}
    return {
        person["id"]
        for person in electorate(gate_input, documents).values()
        if person["id"] not in given and rule.admits(person["username"], person["teams"])
    }


def confirmers(policy: Mapping[str, Any], gate_name: str) -> Rule | None:
    """The people and teams that the policy names to confirm its manual gate of that name; None where it has no such
    gate."""
    gate = next((each for each in policy["gates"] if each["name"] == gate_name and each["kind"] == "manual"), None)
    if gate is None:
        return None
    named = gate["config"]["confirmers"]
    return Rule(gate_name, 1, frozenset(named["teams"]), frozenset(named["users"]))
