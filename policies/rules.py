"""When a policy may be written (domain.md §5, §6). Each rule once: pages, API and admin use the same ones."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError

from policies import people
from policies.documents import InvalidDocument
from policies.models import ApprovalPolicy
from policies.product_voters import MOST_SHOWN, MOST_TOLD, FailingProduct, ProductVoters
from policies.requirements import Requirement, Rule, Shortfall, asks_owners, of_policy, shortfalls, signatures
from stellapromote.accounts.models.tenant import validate_slug
from stellapromote.errors import Conflict, FieldError, RuleViolation
from stellapromote.patterns import OWNERS

Document = dict[str, Any]


class InUse(Conflict):
    """Environments name the policy: it can be neither disabled nor retired."""

    code = "RES_IN_USE"

    def __init__(self, name: str, used_by: Sequence[str]) -> None:
        them = "that environment" if len(used_by) == 1 else "those environments"
        super().__init__(
            f"{name} guards {', '.join(used_by)}: take it out of {them} first.",
            details={"environments": list(used_by)},
        )


class Retired(Conflict):
    """A retired policy stays readable and changes no more."""

    code = "RES_STATE_CONFLICT"


class NameTaken(Conflict):
    """Another policy of the tenant has the name."""

    code = "RES_DUPLICATE"
    about = "name"

    def __init__(self, name: str, policy_id: UUID) -> None:
        super().__init__(f"There is a policy {name} already: choose another name.", details={"id": str(policy_id)})


class NameUsed(Conflict):
    """A retired policy has the name: snapshots and records name that one (domain.md §1b)."""

    code = "RES_NAME_USED"
    about = "name"


class Unsatisfiable(RuleViolation):
    """Too few members may vote to ever satisfy the rules, so nothing could pass (domain.md §5)."""

    code = "POL_UNSATISFIABLE"

    def __init__(self, lacking: Sequence[Shortfall]) -> None:
        super().__init__(
            " ".join(each.sentence for each in lacking), details={"shortfalls": [each.as_json() for each in lacking]}
        )


class NoProductFits(RuleViolation):
    """A rule names the owners of a product, and no product has owners who could ever satisfy the policy."""

    code = "POL_UNSATISFIABLE"

    def __init__(self, failing: Sequence[FailingProduct]) -> None:
        why = " ".join(each.message for each in failing[:MOST_TOLD]) or "There is no product that takes requests."
        super().__init__(
            f"@owners fails for every product. {why} Choose owner teams of the products first.",
            details={"products": [each.slug for each in failing[:MOST_SHOWN]]},
        )


def check_name(name: object) -> None:
    """InvalidDocument unless it is a name that the database takes."""
    try:
        validate_slug(name)
    except ValidationError as error:
        raise InvalidDocument(fields=[FieldError("name", str(error.message), "invalid")]) from None


def check_same_name(name: str, given: str) -> None:
    """InvalidDocument: records and environments name a policy, so its name never changes (domain.md §5)."""
    if given != name:
        raise InvalidDocument(fields=[FieldError("name", f"The name stays {name}: create another policy.", "invalid")])


def check_name_never_used(tenant_id: UUID, name: str) -> None:
    """Raises NameUsed."""
    if ApprovalPolicy.objects.filter(tenant_id=tenant_id, name=name, retired_at__isnull=False).exists():
        raise NameUsed(f"A retired policy was called {name}, and its name is never used again: choose another name.")


def check_can_edit(policy: ApprovalPolicy) -> None:
    """Raises Retired."""
    if policy.retired_at is not None:
        raise Retired(f"{policy.name} is retired and changes no more: create a new policy.")


def check_can_stop_using(policy: ApprovalPolicy, used_by: Sequence[str]) -> None:
    """For disabling and retiring. `used_by`: the environments that name it, read under its lock. Raises InUse."""
    if used_by:
        raise InUse(policy.name, used_by)


def check_approval_rules(
    tenant_id: UUID, document: Document, before: Document | None, at: datetime, *, enabled: bool
) -> None:
    """Checks that the people and teams exist and, of a policy that is enabled, that enough of them may vote. Raises
    InvalidDocument, Unsatisfiable, NoProductFits.

    A policy with @owners may fail for some products, not for all. Names that stood in `before` are not checked again: a
    person who left must not stand in the way of another edit.
    """
    members = people.members(tenant_id)
    known = {rule["name"]: rule for rule in before["rules"]} if before else {}
    named = [
        (f"rules[{index}]", rule, known.get(rule["name"], {"teams": (), "users": ()}))
        for index, rule in enumerate(document["rules"])
    ]
    _check_names(tenant_id, members, named)
    if not enabled:
        return
    if not asks_owners(document):
        _check_filled(tenant_id, [of_policy(document, ())], members, at)
        return
    product_voters = ProductVoters(tenant_id, at)
    failing = product_voters.failing([document])
    if len(failing) == len(product_voters.products):
        raise NoProductFits(failing)


def check_overriders(tenant_id: UUID, document: Document, before: Document | None) -> None:
    """Checks that all people and teams exist who may override a gate. Raises InvalidDocument."""
    known = {gate["name"]: gate for gate in before["gates"]} if before else {}
    wanted = [(index, gate) for index, gate in enumerate(document["gates"]) if "override" in gate]
    if not wanted:
        return
    exist = {person.username for person in people.members(tenant_id)}
    named = {each.removeprefix("team:") for _, gate in wanted for each in gate["override"]["by"]}
    exist.update(f"team:{slug}" for slug in people.lock_teams(tenant_id, named))
    errors = [
        _unknown(
            f"gates[{index}].override.by[{place}]",
            "team" if each.startswith("team:") else "member",
            each.removeprefix("team:"),
        )
        for index, gate in wanted
        for place, each in enumerate(gate["override"]["by"])
        if each not in exist and each not in known.get(gate["name"], {}).get("override", {"by": ()})["by"]
    ]
    if errors:
        raise InvalidDocument(fields=errors)


def check_trusted_uploaders(tenant_id: UUID, document: Document, before: Document | None) -> None:
    """Checks that all people exist whose uploads a security gate believes. Raises InvalidDocument."""
    wanted = [(index, gate) for index, gate in enumerate(document["gates"]) if gate["kind"] == "security"]
    if not wanted:
        return
    trusted_before = {
        (gate["name"], each)
        for gate in (before["gates"] if before else ())
        if gate["kind"] == "security"
        for each in gate["config"]["trustedUploaders"]
    }
    exist = {person.username for person in people.members(tenant_id)}
    errors = [
        _unknown(f"gates[{index}].config.trustedUploaders[{place}]", "member", each)
        for index, gate in wanted
        for place, each in enumerate(gate["config"]["trustedUploaders"])
        if each not in exist and (gate["name"], each) not in trusted_before
    ]
    if errors:
        raise InvalidDocument(fields=errors)


def _unknown(place: str, what: str, name: str) -> FieldError:
    return FieldError(place, f"There is no {what} {name}. Correct the name, or add the {what} first.", "invalid")


def check_confirmers(tenant_id: UUID, document: Document, before: Document | None, at: datetime) -> None:
    """The same for the confirmers of every manual gate. Raises InvalidDocument, Unsatisfiable."""
    manual = [(index, gate) for index, gate in enumerate(document["gates"]) if gate["kind"] == "manual"]
    if not manual:
        return
    members = people.members(tenant_id)
    known = {gate["name"]: gate for gate in before["gates"] if gate["kind"] == "manual"} if before else {}
    named = [
        (
            f"gates[{index}].config.confirmers",
            gate["config"]["confirmers"],
            known[gate["name"]]["config"]["confirmers"] if gate["name"] in known else {"teams": (), "users": ()},
        )
        for index, gate in manual
    ]
    _check_names(tenant_id, members, named)
    _check_filled(tenant_id, [_confirmation(gate) for _, gate in manual], members, at)


def _confirmation(gate: Document) -> Requirement:
    confirmers, places = gate["config"]["confirmers"], gate["config"]["minConfirmations"]
    rule = Rule("confirmers", places, frozenset(confirmers["teams"]), frozenset(confirmers["users"]))
    return Requirement(f"gate {gate['name']}", (rule,))


def _check_names(
    tenant_id: UUID, members: Iterable[people.Person], named: Iterable[tuple[str, Document, Document]]
) -> None:
    """`named`: path, the teams and users named now, and those named before."""
    usernames = {person.username for person in members}
    named = list(named)
    slugs = people.lock_teams(tenant_id, (slug for _, now, _ in named for slug in now["teams"]))
    errors = []
    for path, now, before in named:
        for part, exist, what in (("teams", slugs, "team"), ("users", usernames, "member")):
            errors += [
                _unknown(f"{path}.{part}[{index}]", what, each)
                for index, each in enumerate(now[part])
                if each not in exist and each not in before[part] and each != OWNERS
            ]
    if errors:
        raise InvalidDocument(fields=errors)


def _check_filled(
    tenant_id: UUID, requirements: Sequence[Requirement], members: Iterable[people.Person], at: datetime
) -> None:
    """For some product at least, since voting roles may be limited to products: which one the policy guards is not
    known here."""
    members, vouching = list(members), people.vouching_in(tenant_id, {})

    def lacking(product: str | None) -> Sequence[Shortfall]:
        could = people.voters(members, product=product, at=at, vouching=vouching)
        return shortfalls(requirements, signatures(requirements, could.items()))

    found = lacking(None)
    if found and all(map(lacking, people.open_products(tenant_id, people.products_of_votes(members)))):
        raise Unsatisfiable(found)
