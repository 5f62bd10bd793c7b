"""docs/policy-gate.md: its examples work, and it names everything that a policy is told."""

import re
from pathlib import Path

import pytest

from policies.engines.answers import MAY_WAIT, read_answer
from policies.engines.ask import ask
from policies.engines.policy_input import (
    FROM_DOCUMENTS,
    JSON_SCHEMA,
    SINCE_VERSION_2,
    SITUATION,
    no_documents,
    policy_input,
)
from policies.engines.texts import compile_errors
from tests.policies.cases import Case
from tests.policies.engines.test_policy_input import with_everything

PAGE = (Path(__file__).parents[3] / "docs" / "policy-gate.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```\n(.*?)```", PAGE.split("## Examples in CEL")[1].split("\n## ")[0], re.DOTALL)
DATA = {"predicateType": "https://slsa.dev/provenance/v1", "owners": "release"}


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 8


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_compiles_and_answers_with_and_without_documents(text: str) -> None:
    assert compile_errors("cel", text, None) == []
    case, documents = with_everything()
    for about in (policy_input(case.facts, documents), policy_input(Case().facts, no_documents(2))):
        answer = ask({"engine": "cel", "text": text, "data": DATA, "timeoutMs": 1000}, about, version=3)
        assert answer["error"] is None, answer
        read_answer(answer["result"], MAY_WAIT)


@pytest.mark.parametrize("field", [*SITUATION[1:], *FROM_DOCUMENTS, *SINCE_VERSION_2])
def test_every_field_is_on_the_page(field: str) -> None:
    assert f"`{field}`" in PAGE


@pytest.mark.parametrize("part", ["findings", "components", "vex", "attestations", "documents"])
def test_every_field_of_the_documents_is_on_the_page(part: str) -> None:
    assert all(f"`{name}`" in PAGE for name in JSON_SCHEMA["properties"][part]["items"]["properties"])
