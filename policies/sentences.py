"""Rules and gates in words, for pages (product.md, principle 5). Made from documents in normal form."""

from collections.abc import Mapping
from typing import Any

from policies import phrases
from policies.gates import wording_of
from stellapromote.counted import counted

Part = Mapping[str, Any]


def of_rule(rule: Part, product: Part | None = None) -> str:
    """`2 approvals by team security or mei`. ``product``: that of a snapshot, whose owners the rule may name."""
    owners = phrases.OF_PRODUCT if product is None else owners_named(product)
    return f"{counted(rule['minApprovals'], 'approval')} by {phrases.people(rule, owners)}"


def owners_named(product: Part) -> str:
    """`the owners of ledger (payments and risk)`."""
    return f"the owners of {product['slug']} ({phrases.listed(product['ownerTeams'])})"


def of_anyone(number: int) -> str:
    """`2 approvals by anyone who may vote`."""
    return f"{counted(number, 'approval')} by anyone who may vote"


def of_conditions(document: Part) -> list[str]:
    """The conditions of an approval policy beside its rules."""
    duties = document["separationOfDuties"]
    told = [
        (document["commentRequired"], "Every approval needs a comment."),
        (document["requireSubjectDigest"], "Every vote names the digest of what the voter saw."),
        (
            document["blind"],
            "Votes are hidden from people who have not voted, until voting ends; auditors see them.",
        ),
        (duties["excludeReleaseCreator"], "The person who created the release does not vote."),
        (duties["excludeCommitAuthors"], "Commit authors of the release do not vote."),
        (duties["excludePolicyEditor"], "People who edited the policies in force do not vote."),
        (duties["excludeDeployer"], "People who approved or confirmed do not report the deployment."),
    ]
    return ["The requester never votes.", *(sentence for holds, sentence in told if holds)]


def of_gate(gate: Part) -> str:
    """The gate's requirement, with its settings."""
    return wording_of(gate["kind"]).sentence(gate["config"])


def of_policy(document: Part) -> list[str]:
    """The requirements of an approval policy or a promotion policy, rule by rule or gate by gate."""
    if "gates" in document:
        return [f"{gate['name']}: {of_gate(gate)}" for gate in document["gates"]]
    return [*(f"{rule['name']}: {of_rule(rule)}" for rule in document["rules"]), *of_conditions(document)]
