"""One promotion under its lock, at one instant, with the facts about it (architecture.md, how a change happens)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import orjson

from policies.engines.ask import ask_all
from policies.evaluator import evaluate
from policies.facts import GateInput
from policies.outcomes import Evaluation
from policies.stored_documents import documents
from promotions.bundles import Taken
from promotions.facts import Facts, Reading, gather
from promotions.models import Promotion
from promotions.signing_key import current_key
from promotions.subject import changed_fields
from stellapromote.clock import Clock
from stellapromote.signing.keyring import SigningKey


@dataclass(slots=True)
class Scene:
    """One promotion under its lock, at one instant, with the facts about it."""

    promotion: Promotion
    at: datetime
    facts: Facts
    documents: Mapping[str, dict[str, Any]]
    key: SigningKey | None

    @property
    def votes(self) -> list[dict[str, Any]]:
        votes: list[dict[str, Any]] = self.facts.gate_input["votes"]
        return votes

    @property
    def confirmations(self) -> list[dict[str, Any]]:
        confirmations: list[dict[str, Any]] = self.facts.gate_input["confirmations"]
        return confirmations

    @property
    def overrides(self) -> list[dict[str, Any]]:
        overrides: list[dict[str, Any]] = self.facts.gate_input["overrides"]
        return overrides

    def evaluate(self) -> Evaluation:
        """What the gates say about these facts. Policies as code are asked now: a vote that was just given counts."""
        facts = cast("GateInput", self.facts.gate_input)
        policy = self.documents[facts["requirements"]["promotionPolicy"]["digest"]]
        facts["policyAnswers"] = {**facts.get("policyAnswers", {}), **ask_all(policy, facts, self.documents)}
        return evaluate(facts, self.documents)

    def subject_changes(self) -> list[str]:
        """What changed in the subject since the promotion was last evaluated."""
        if self.facts.gate_input["subject"]["digest"] == self.promotion.subject_digest:
            return []
        return changed_fields(self.promotion.subject, self.facts.subject)


def instant(clock: Clock, promotion: Promotion) -> datetime:
    """Read once, after the locks: never before the last evaluation of this promotion (domain.md §0)."""
    return max(clock.now(), promotion.last_evaluated_at)


def stored_requirements(promotion: Promotion) -> dict[str, Any]:
    """The snapshot taken at request, as it stands in every gate input of the promotion."""
    requirements: dict[str, Any] = orjson.loads(bytes(promotion.requirements))
    del requirements["schema"]
    return requirements


def look(promotion: Promotion, at: datetime, *, unstored: Taken | None = None, reading: Reading | None = None) -> Scene:
    """Gathers the facts. Cost: one statement when the policy documents are cached and no dependency gate asks more.

    ``unstored``: the bundle of a promotion that is only previewed. ``reading``: what ``lock_and_read`` read already.
    """
    requirements = stored_requirements(promotion)
    wanted = [requirements["promotionPolicy"]["digest"], *(p["digest"] for p in requirements["approvalPolicies"])]
    texts: dict[str, Any] = dict(documents(promotion.tenant_id, wanted))
    key = current_key()
    facts = gather(
        promotion,
        requirements=requirements,
        policy=texts[requirements["promotionPolicy"]["digest"]],
        signing_key_id=None if key is None else key.key_id,
        at=at,
        unstored=unstored,
        reading=reading,
    )
    texts.update(facts.documents)
    texts.update({name: orjson.loads(content) for name, content in facts.blobs.items()})
    return Scene(promotion, at, facts, texts, key if facts.gate_input["signing"]["available"] else None)
