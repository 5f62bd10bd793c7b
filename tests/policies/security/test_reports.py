"""Why nobody believes the report that is there, as the gate says it."""

from typing import Any

import pytest

from policies.outcomes import GateResult
from tests.policies.cases import verdict
from tests.policies.security.world import (
    GRETA,
    MEI,
    NIA,
    NO_CRITICAL,
    OTHER_KEY,
    TOMAS,
    WEB,
    Evidence,
    guarded,
)

REMEDY = (
    "have another identity that the policy trusts upload it, or sign it with a trusted key, then take a new evidence "
    "bundle."
)
REQUESTER = "the requester (tomas) or for them"
EXCLUDED = "somebody who is excluded on this promotion (greta) or for them"
NOT_NAMED = "an identity that the policy does not trust"


def judged(*reports: dict[str, Any], **config: Any) -> GateResult:
    evidence = Evidence()
    for each in reports:
        evidence.report(**each)
    return evidence.into(guarded(NO_CRITICAL, **config)).gate("cve")


# greta, mei and tomas are named by the policy; tomas asked; greta created the release
DOUBTS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([{"uploadedBy": [TOMAS]}], "requester", REQUESTER),
    ([{"uploadedBy": [GRETA]}], "excluded", EXCLUDED),
    ([{"uploadedBy": [NIA]}], "notNamed", NOT_NAMED),
    # a machine of the requester's
    ([{"uploadedBy": [MEI, TOMAS]}], "requester", REQUESTER),
    # of which somebody is not named, too
    ([{"uploadedBy": [NIA, TOMAS]}], "requester", REQUESTER),
    ([{"uploadedBy": [NIA, GRETA]}], "excluded", EXCLUDED),
    ([{"uploadedBy": [GRETA, TOMAS]}], "requester", REQUESTER),
    ([{"uploadedBy": [MEI, NIA]}], "notNamed", NOT_NAMED),
    # a machine of nobody
    ([{"uploadedBy": []}], "notNamed", NOT_NAMED),
    # a key that nobody trusts signed it
    ([{"uploadedBy": [TOMAS], "signer": OTHER_KEY}], "requester", REQUESTER),
    # of several the one that lacks least, in any order
    ([{"uploadedBy": [NIA]}, {"uploadedBy": [GRETA]}], "excluded", EXCLUDED),
    ([{"uploadedBy": [TOMAS]}, {"uploadedBy": [GRETA]}, {"uploadedBy": [NIA]}], "requester", REQUESTER),
]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("reports", "because", "whom"), DOUBTS)
def test_the_gate_says_who_stands_in_the_way(
    reports: list[dict[str, Any]], because: str, whom: str, turned: bool
) -> None:
    gate = judged(*(reversed(reports) if turned else reports))
    assert verdict(gate) == ("pending", ["SECURITY_REPORT_UNTRUSTED"])
    assert [each["because"] for each in gate.details["lacking"]] == [because]
    assert gate.message == (
        f"Artifact {WEB[:19]}… has no scanner report that is believed: it was uploaded by {whom}: {REMEDY}"
    )


def test_a_requester_whom_the_policy_does_not_name_either_is_told_as_the_requester() -> None:
    gate = judged({"uploadedBy": [TOMAS]}, trustedUploaders=["mei"])
    assert [each["because"] for each in gate.details["lacking"]] == ["requester"]


@pytest.mark.parametrize("report", [{"uploadedBy": [MEI]}, None])
def test_where_somebody_is_believed_or_nothing_is_there_nobody_is_named(report: dict[str, Any] | None) -> None:
    gate = judged(*([] if report is None else [report, {"uploadedBy": [TOMAS]}]))
    assert "because" not in str(gate.details["lacking"])
    assert "tomas" not in gate.message
