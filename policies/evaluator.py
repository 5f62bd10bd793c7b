"""Judges all gates of a promotion on one gate input: pure and deterministic (domain.md §6, §7).

The same input and documents give the same results, in any order of votes, candidates or gates. An error while a gate is
judged makes that gate pending or failed, never passed.
"""

import re
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, Final

from policies import overrides
from policies.context import Context
from policies.decision import decide
from policies.electorate import electorate
from policies.facts import SCHEMA, GateInput, InvalidGateInput
from policies.gates import MANDATORY, REGISTRY, Registry
from policies.library import (
    DocumentMissing,
    Documents,
    DocumentUnusable,
    PlannedGate,
    blob,
    derived,
    mandatory_plan,
    plan,
    requirement,
)
from policies.outcomes import STATUSES, Evaluation, GateResult, Verdict
from policies.requirements import Requirement, anyone
from policies.windows import BadTime, check_instant
from stellapromote.errors import FieldError, code_of
from stellapromote.signing.canonical_json import canonical_bytes

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]*")


class UnknownKindVersion(LookupError):
    """This version has no judge for a kindVersion that the input names: such a record is notReplayable."""

    def __init__(self, kind: str, version: object) -> None:
        super().__init__(f"this version cannot judge {kind} version {version}")
        self.kind = kind
        self.version = version


def evaluate(facts: GateInput, documents: Documents, *, registry: Registry = REGISTRY) -> Evaluation:
    """All gates judged, and the decision they make. `documents` holds, by digest, what the input refers to.

    UnknownKindVersion when the input names a version this program does not have; InvalidGateInput when it is no gate
    input at all. A gate whose judge fails, or whose documents are missing, is GATE_ERROR with the gate's onError.
    """
    kinds = _kinds(facts, registry)
    gates, missing = _planned(facts, documents, kinds, registry)
    voters = cache(partial(electorate, facts, documents))
    requirements = cache(partial(_requirements, facts, documents))
    document, derive = partial(blob, documents), partial(derived, documents)
    direction = "rollback" if facts["promotion"]["isRollback"] else "forward"
    results = []
    for sequence, gate in enumerate(gates, start=1):
        context = Context(gate.name, gate.on_error, voters, requirements, document, derive)
        verdict = missing or _settled(gate, facts, _judged(gate, facts, context, direction))
        results.append(
            GateResult(
                sequence=sequence,
                type=gate.kind,
                kind_version=gate.version,
                name=gate.name,
                status=verdict.status,
                reason_codes=tuple(sorted(set(verdict.codes))),
                details=verdict.details,
                message=verdict.message,
                next_change_at=verdict.next_change_at,
                leading_code=verdict.codes[0] if verdict.codes else None,
            )
        )
    return _evaluation(results, facts)


def _kinds(facts: GateInput, registry: Registry) -> Mapping[str, int]:
    """The kinds of the input, all known here; also refuses what is too broken to be judged at all."""
    if facts["schema"] != SCHEMA:
        raise InvalidGateInput([FieldError("schema", f"This must be {SCHEMA}.", "invalid")])
    try:
        check_instant(facts["instant"])
    except (BadTime, TypeError):
        raise InvalidGateInput([FieldError("instant", "This must be a time.", "invalid")]) from None
    kinds = facts["kinds"]
    for kind, version in kinds.items():
        if (kind, version) not in registry.kinds:
            raise UnknownKindVersion(kind, version)
    absent = [kind for kind in MANDATORY if kind not in kinds]
    if absent:
        raise InvalidGateInput([FieldError("kinds", f"{', '.join(absent)} must be among them.", "invalid")])
    return kinds


def _planned(
    facts: GateInput, documents: Documents, kinds: Mapping[str, int], registry: Registry
) -> tuple[tuple[PlannedGate, ...], Verdict | None]:
    """The gates to judge; without the policy, the mandatory ones and the verdict that all of them get."""
    try:
        return plan(documents, facts["requirements"]["promotionPolicy"]["digest"], kinds, registry), None
    except DocumentMissing as error:
        return mandatory_plan(kinds, registry), _error("pending", error)


def _judged(gate: PlannedGate, facts: GateInput, context: Context, direction: str) -> Verdict:
    if gate.problem is not None:
        return _unusable(gate.problem, gate.errors)
    if gate.judge is None:
        raise InvalidGateInput([FieldError("kinds", f"{gate.kind} has no judge.", "invalid")])
    if direction not in gate.directions:
        details = {"direction": direction, "appliesTo": sorted(gate.directions)}
        return Verdict("pass", ("GATE_NOT_APPLICABLE",), details, f"The policy does not ask this of a {direction}.")
    try:
        verdict = gate.judge(facts, gate.config, context)
        _check_verdict(verdict)
    except DocumentUnusable as error:
        return _unusable("GATE_CONFIG_INVALID", tuple(error.errors), error.digest)
    except Exception as error:  # no error is a pass
        return _error(gate.on_error, error)
    return verdict


def _settled(gate: PlannedGate, facts: GateInput, verdict: Verdict) -> Verdict:
    """The verdict after `effectiveOn` and `override` of the gate's entry; a broken entry has neither."""
    if gate.problem is not None:
        return verdict
    try:
        return overrides.apply_override_rules(
            verdict,
            facts,
            name=gate.name,
            kind=gate.kind,
            override=gate.override,
            ttl=gate.override_ttl,
            effective_on=gate.effective_on,
        )
    except Exception as error:  # an override that cannot be read lifts nothing
        return _error(gate.on_error, error)


def _check_verdict(verdict: Verdict) -> None:
    """Raises for a verdict with an unknown status or code, and for one that could not be sealed."""
    if verdict.status not in STATUSES or not all(_CODE.fullmatch(code) for code in verdict.codes):
        raise ValueError("no such status or code")
    if not isinstance(verdict.details, dict) or not isinstance(verdict.message, str):
        raise TypeError("details are an object and the message is text")
    if verdict.next_change_at is not None:
        check_instant(verdict.next_change_at)
    canonical_bytes(verdict.details)


def _error(on_error: Any, error: Exception) -> Verdict:
    if isinstance(error, DocumentMissing):
        message = "A document this gate needs is missing, which never counts as a pass: an operator must restore it."
        return Verdict(on_error, ("GATE_ERROR",), {"missingDocument": error.digest}, message)
    message = "This gate could not be judged, which never counts as a pass: evaluate again, and tell the operator."
    return Verdict(on_error, ("GATE_ERROR",), {"error": type(error).__name__}, message)


def _unusable(code: str, errors: tuple[FieldError, ...], document: str | None = None) -> Verdict:
    # Stored, and made again by a replay: coarser than the codes of answers, which may become finer.
    details: dict[str, Any] = {"errors": [{"field": each.field, "code": code_of([each])} for each in errors]}
    if document is not None:
        details["document"] = document
    where = f" ({errors[0].field}: {errors[0].message})" if errors else ""
    what = "This version does not know this kind of gate" if code == "GATE_UNKNOWN_KIND" else "The policy is invalid"
    return Verdict("fail", (code,), details, f"{what}{where}: a policy admin must correct it, then request again.")


def _requirements(facts: GateInput, documents: Documents, owners: tuple[str, ...] | None) -> tuple[Requirement, ...]:
    snapshot = facts["requirements"]
    number = snapshot["requiredApprovals"]
    if type(number) is not int or number < 0:
        raise ValueError("requiredApprovals is no number of people")
    policies = tuple(requirement(documents, policy["digest"], owners) for policy in snapshot["approvalPolicies"])
    return (anyone(number), *policies) if number else policies


def _evaluation(results: list[GateResult], facts: GateInput) -> Evaluation:
    decision = decide(result.status for result in results)
    changes = [result.next_change_at for result in results if result.next_change_at is not None]
    approval = next(result for result in results if result.type == "approval").details
    # An approval gate that ended in an error knows no numbers; the required number is then at least that of the
    # request.
    at_least = max(facts["requirements"]["requiredApprovals"], 1 if facts["requirements"]["approvalPolicies"] else 0)
    return Evaluation(
        decision=decision,
        reason_codes=tuple(sorted({code for result in results for code in result.reason_codes})),
        gates=tuple(results),
        next_change_at=None if decision == "deny" else min(changes, default=None),
        required=approval.get("required", at_least),
        given=approval.get("given", 0),
    )
