"""One promotion under its lock, at one instant, with the facts about it (architecture.md, how a change happens)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from policies.document_facts import OverrideFact
from policies.engines.ask import ask_all
from policies.evaluator import evaluate
from policies.facts import Confirmation, Vote, policies_named, policy_of
from policies.outcomes import Evaluation
from policies.stored_documents import documents
from promotions.documents.bundles import BundleContent
from promotions.judging.facts import Facts, StoredFacts, gather_facts
from promotions.judging.locks import Moment
from promotions.judging.subject import changed_fields
from promotions.models import Promotion
from promotions.packets.signing_key import current_key
from stellapromote.database_clock import LastWrite, not_before
from stellapromote.signing.keyring import SigningKey


@dataclass(slots=True)
class EvaluationContext:
    """One promotion under its lock, at one instant, with the facts about it.

    ``subject_changed``: the promotion was bound to another subject, which no event has recorded yet.
    """

    promotion: Promotion
    at: datetime
    facts: Facts
    documents: Mapping[str, dict[str, Any]]
    key: SigningKey | None
    subject_changed: bool = False

    @property
    def votes(self) -> list[Vote]:
        return self.facts.gate_input["votes"]

    @property
    def confirmations(self) -> list[Confirmation]:
        return self.facts.gate_input["confirmations"]

    @property
    def overrides(self) -> list[OverrideFact]:
        return self.facts.gate_input["overrides"]

    def evaluate(self) -> Evaluation:
        """The gates' verdicts on these facts. Policies as code are evaluated now: a vote that was just given counts."""
        self.facts.note_acts()
        facts = self.facts.gate_input
        policy = policy_of(facts["requirements"], self.documents)
        facts["policyAnswers"] = {**facts.get("policyAnswers", {}), **ask_all(policy, facts, self.documents)}
        return evaluate(facts, self.documents)

    def subject_changes(self) -> list[str]:
        """The names of the parts of the subject that changed since the promotion was last evaluated."""
        if self.facts.gate_input["subject"]["digest"] == self.promotion.subject_digest:
            return []
        return changed_fields(self.promotion.subject, self.facts.subject)


def instant(moment: Moment, promotion: Promotion) -> datetime:
    """The moment, but never before the last evaluation of this promotion, or what was written last of the calendar and
    the target (domain.md §0). Every write of a freeze is one of the calendar. Raises ClockSkew.
    """
    target = promotion.target_environment
    return not_before(
        moment.now,
        (
            LastWrite("promotion", promotion.pk, promotion.last_evaluated_at),
            LastWrite("calendar", promotion.tenant_id, moment.calendar),
            LastWrite("environment", target.pk, target.updated_at),
        ),
    )


def stored_requirements(promotion: Promotion) -> dict[str, Any]:
    """The snapshot taken at request, as it stands in every gate input of the promotion."""
    requirements: dict[str, Any] = orjson.loads(bytes(promotion.requirements))
    del requirements["schema"]
    return requirements


def gather_context(
    promotion: Promotion, at: datetime, *, unstored: BundleContent | None = None, reading: StoredFacts | None = None
) -> EvaluationContext:
    """Gathers the facts. Cost: one statement when the policy documents are cached and no dependency gate needs more.

    ``unstored``: the bundle of a promotion that is only previewed. ``reading``: the result of ``lock_and_read``.
    """
    requirements = stored_requirements(promotion)
    wanted = (each["digest"] for each in policies_named(requirements))
    texts: dict[str, Any] = dict(documents(promotion.tenant_id, wanted))
    key = current_key()
    facts = gather_facts(
        promotion,
        requirements=requirements,
        policy=policy_of(requirements, texts),
        signing_key_id=None if key is None else key.key_id,
        at=at,
        unstored=unstored,
        reading=reading,
    )
    texts.update(facts.documents)
    texts.update({name: orjson.loads(content) for name, content in facts.blobs.items()})
    return EvaluationContext(promotion, at, facts, texts, key if facts.gate_input["signing"]["available"] else None)
