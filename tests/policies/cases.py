"""One promotion and its people, as plain facts: tomas asks to bring 2026.47.1 into production.

nia (release), mei (security), ravi (release and security) and idris (no team) may vote; tomas asked; greta created the
release. Every test says only how its case differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from policies import gates
from policies.documents import Document, approval_policy, promotion_policy
from policies.evaluator import evaluate
from policies.facts import Candidate, GateInput, Vote
from policies.outcomes import Evaluation, GateResult

NOW = "2026-11-23T08:00:00.000Z"
BEFORE = "2026-11-20T08:00:00.000Z"
MANIFEST = "sha256:" + "a" * 64
SUBJECT = "sha256:" + "b" * 64
OTHER_SUBJECT = "sha256:" + "c" * 64

TEAMS: dict[str, list[str]] = {
    "nia": ["release"],
    "mei": ["security"],
    "ravi": ["release", "security"],
    "idris": [],
}

TWO_PERSON: Any = {
    "name": "two-person",
    "rules": [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}],
}


def candidate(username: str, *, teams: Sequence[str] | None = None, exclusion: str | None = None) -> Candidate:
    return {
        "id": f"id-{username}",
        "username": username,
        "roles": ["approver"],
        "teams": list(TEAMS.get(username, []) if teams is None else teams),
        "grantedAt": BEFORE,
        "exclusion": exclusion,
    }


def vote(
    username: str,
    verdict: Any = "approve",
    *,
    at: str = NOW,
    teams: Sequence[str] | None = None,
    subject: str = SUBJECT,
    reason: str | None = None,
    vote_id: str | None = None,
) -> Vote:
    return {
        "id": vote_id or f"vote-{username}",
        "voterId": f"id-{username}",
        "username": username,
        "displayName": username.title(),
        "verdict": verdict,
        "teams": list(TEAMS.get(username, []) if teams is None else teams),
        "reason": reason,
        "subjectDigest": subject,
        "at": at,
    }


class Case:
    """A gate input with the documents it refers to. `given(...)` changes facts by name; `judged()` evaluates them."""

    def __init__(
        self,
        *,
        gates_: Iterable[Mapping[str, Any]] = (),
        policies: Iterable[Mapping[str, Any]] = (),
        required: int = 0,
        **changes: Any,
    ) -> None:
        self.policy = promotion_policy({"gates": [dict(each) for each in gates_]})
        approvals = [approval_policy(dict(each)) for each in policies]
        self.documents: dict[str, Any] = {each.digest: each.content for each in (self.policy, *approvals)}
        self.facts: GateInput = {
            "schema": "stella.gate-input/v1",
            "instant": NOW,
            "kinds": gates.current_versions(each["kind"] for each in self.policy.content["gates"]),
            "promotion": {
                "id": "id-promotion",
                "number": 1042,
                "product": "main",
                "isRollback": False,
                "requestedAt": BEFORE,
                "requestedById": "id-tomas",
                "change": None,
            },
            "release": {"id": "id-release", "name": "2026.47.1", "status": "finalized", "manifestDigest": MANIFEST},
            "source": {"id": "id-staging", "name": "staging", "deployed": True},
            "target": {
                "id": "id-production",
                "name": "production",
                "isProduction": True,
                "archived": False,
                "currentReleaseId": None,
            },
            "subject": {"digest": SUBJECT, "manifestDigest": MANIFEST},
            "requirements": {
                "requiredApprovals": required,
                "requireSeparationOfDuties": True,
                "approvalPolicies": [_reference(each) for each in approvals],
                "promotionPolicy": _reference(self.policy),
                "excludedPersons": [
                    {"id": "id-greta", "username": "greta", "reasons": ["RELEASE_CREATOR"]},
                    {"id": "id-tomas", "username": "tomas", "reasons": ["REQUESTER"]},
                ],
            },
            "requirementsDigest": "sha256:" + "d" * 64,
            "signing": {"available": True},
            "freezes": [],
            "schedules": {},
            "votes": [],
            "confirmations": [],
            "candidates": [
                *(candidate(username) for username in ("idris", "mei", "nia", "ravi")),
                candidate("greta", exclusion="RELEASE_CREATOR"),
                candidate("tomas", exclusion="REQUESTER"),
            ],
            "dependencies": {},
            "supersededBy": None,
            "evidenceMismatch": False,
        }
        self.given(**changes)

    def given(self, **changes: Any) -> "Case":
        """The same case with facts replaced; a mapping for a mapping is merged into it."""
        for name, value in changes.items():
            before = self.facts[name]  # type: ignore[literal-required]
            merged = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
            self.facts[name] = merged  # type: ignore[literal-required]
        return self

    def judged(self, **more: Any) -> Evaluation:
        return evaluate(self.facts, self.documents, **more)

    def gate(self, name: str) -> GateResult:
        """The one gate of that name, judged."""
        return next(each for each in self.judged().gates if each.name == name)


def _reference(document: Document) -> Any:
    return {"name": document.content.get("name", "default"), "version": 1, "digest": document.digest}


def verdict(result: GateResult) -> tuple[str, list[str]]:
    """Status and reason codes: what a truth table compares."""
    return result.status, list(result.reason_codes)
