"""What older versions of gates decided is decided again, byte for byte (domain.md §7).

The files in version_1 and version_2 are inputs, documents and results of the code for which these versions were the
newest. They never change.
"""

from pathlib import Path
from typing import Any

import orjson
import pytest

from policies.engines.ask import ask_all, input_about
from policies.evaluator import evaluate
from policies.gates import REGISTRY
from stellapromote.signing.canonical_json import canonical_bytes, digest

STORED = sorted(Path(__file__).parent.glob("version_*/*.json"))


def stored(path: Path) -> tuple[Any, dict[str, Any], Any]:
    """The file, with its documents by digest, and what was decided."""
    content = orjson.loads(path.read_bytes())
    return content, {digest(each): each for each in content["documents"]}, content["evaluation"]


def test_there_are_decisions_to_replay() -> None:
    kinds = [gate["type"] for path in STORED for gate in stored(path)[2]["gates"] if gate["kindVersion"] == 1]
    assert [kinds.count(kind) for kind in ("security", "evidence", "policy")] == [7, 5, 3]


def test_there_are_decisions_of_every_older_version() -> None:
    judged = {(gate["type"], gate["kindVersion"]) for path in STORED for gate in stored(path)[2]["gates"]}
    assert {key for key in REGISTRY.kinds if REGISTRY.current[key[0]] != key[1]} <= judged


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_decision_of_an_older_version_replays_equal(path: Path) -> None:
    content, documents, decided = stored(path)
    assert canonical_bytes(evaluate(content["input"], documents).as_json()) == canonical_bytes(decided)


def test_a_policy_of_version_1_is_told_what_it_was_told() -> None:
    content, documents, _ = stored(Path(__file__).parent / "version_1" / "policy.json")
    facts = content["input"]
    assert input_about(facts, documents).digest == content["policyInputDigest"]
    policy = documents[facts["requirements"]["promotionPolicy"]["digest"]]
    answers = ask_all(policy, facts, documents)
    assert answers == {name: facts["policyAnswers"][name] for name in ("rule", "warns")}
