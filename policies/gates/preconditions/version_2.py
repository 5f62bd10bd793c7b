"""Version 2: nothing is decided while the stored promotion differs from the signed one (docs/adr/0167)."""

from collections.abc import Mapping
from typing import Any, Final

from policies.context import Context
from policies.facts import GateInput
from policies.gates.preconditions import version_1, wording
from policies.gates.sources import NOTHING
from policies.outcomes import Verdict

KIND: Final = "preconditions"
KIND_VERSION: Final = 2
RANK: Final = version_1.RANK
SUMMARY: Final = (
    "The release is finalized and unchanged, still in the source, the target takes promotions, and what is stored "
    "about the promotion is what was signed."
)
CONFIG_SCHEMA: Final[dict[str, Any]] = version_1.CONFIG_SCHEMA
GUARDS: Final = version_1.GUARDS
NO_GUARDS: Final = version_1.NO_GUARDS
WORDING: Final = wording.WORDING
SOURCES: Final = NOTHING


def judge(facts: GateInput, config: Mapping[str, Any], context: Context) -> Verdict:
    """As version 1; what does not fail waits while a verification has found a mismatch."""
    verdict = version_1.judge(facts, config, context)
    mismatch = facts["evidenceMismatch"]
    if type(mismatch) is not bool:
        raise TypeError("evidenceMismatch is true or false")
    details = {**verdict.details, "evidenceMismatch": mismatch}
    if not mismatch:
        return Verdict(verdict.status, verdict.codes, details, verdict.message)
    if verdict.status == "fail":
        return Verdict("fail", (*verdict.codes, "EVIDENCE_MISMATCH"), details, verdict.message)
    return Verdict(
        "pending",
        ("EVIDENCE_MISMATCH", *verdict.codes),
        details,
        "What is stored about this promotion is not what was signed: ask an auditor what the audit log says of it.",
    )
