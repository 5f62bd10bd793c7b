import threading
from collections.abc import Mapping
from typing import Any

import pytest

from policies import library
from policies.documents import approval_policy, promotion_policy
from policies.facts import candidates_fact
from policies.gates import REGISTRY, Registry, current_versions
from policies.library import DocumentMissing, DocumentUnusable, candidates, mandatory_plan, plan, requirement
from stellapromote.signing.canonical_json import digest
from tests.policies.cases import TWO_PERSON, candidate

KINDS = current_versions(REGISTRY.current)
POLICY = promotion_policy(
    {
        "gates": [
            {"name": "zebra", "kind": "manual", "config": {"confirmers": {"users": ["nia"]}, "text": "ok"}},
            {"name": "aardvark", "kind": "manual", "config": {"confirmers": {"users": ["nia"]}, "text": "ok"}},
        ]
    }
)
APPROVAL = approval_policy(TWO_PERSON)


def stored(content: Any) -> tuple[dict[str, Any], str]:
    """Documents with this one in them, whatever it is, and its digest."""
    key = digest(content)
    return {key: content}, key


def problems(content: Any, kinds: dict[str, int] = KINDS) -> list[tuple[str, str | None]]:
    return [(each.name, each.problem) for each in plan(*stored(content), kinds, REGISTRY)]


def test_gates_are_in_the_order_of_rank_then_name() -> None:
    gates = plan({POLICY.digest: POLICY.content}, POLICY.digest, KINDS, REGISTRY)
    assert [each.name for each in gates] == ["preconditions", "freeze-window", "aardvark", "zebra", "approval"]


def test_a_policy_stored_without_the_mandatory_gates_has_them_all_the_same() -> None:
    bare = {"schema": "stella.promotion-policy/v1", "gates": []}
    assert problems(bare) == [("preconditions", None), ("freeze-window", None), ("approval", None)]


def test_the_same_digest_is_read_once() -> None:
    documents = {POLICY.digest: POLICY.content}
    assert plan(documents, POLICY.digest, KINDS, REGISTRY) is plan(documents, POLICY.digest, KINDS, REGISTRY)


def test_another_registry_reads_for_itself() -> None:
    documents = {POLICY.digest: POLICY.content}
    other = Registry(REGISTRY.kinds.values())
    assert plan(documents, POLICY.digest, KINDS, REGISTRY) is not plan(documents, POLICY.digest, KINDS, other)


def test_a_document_that_is_not_there_is_missing_also_when_it_was_read_before() -> None:
    plan({POLICY.digest: POLICY.content}, POLICY.digest, KINDS, REGISTRY)
    with pytest.raises(DocumentMissing):
        plan({}, POLICY.digest, KINDS, REGISTRY)


def test_content_that_is_not_what_the_digest_says_is_missing() -> None:
    key = "sha256:" + "0" * 64
    with pytest.raises(DocumentMissing):
        plan({key: POLICY.content}, key, KINDS, REGISTRY)
    with pytest.raises(DocumentMissing):
        requirement({key: APPROVAL.content}, key, None)


def test_a_wrong_content_cannot_take_the_place_of_one_that_was_read() -> None:
    requirement({APPROVAL.digest: APPROVAL.content}, APPROVAL.digest, None)
    easier = {**APPROVAL.content, "rules": APPROVAL.content["rules"][:1]}
    assert requirement({APPROVAL.digest: easier}, APPROVAL.digest, None).places == (1, 1)


def gate(**changes: Any) -> dict[str, Any]:
    config = {"confirmers": {"users": ["nia"]}, "text": "ok"}
    return {"name": "check", "kind": "manual", "config": config, "onError": "pending", **changes}


def document(*gates: Any, **changes: Any) -> dict[str, Any]:
    return {"schema": "stella.promotion-policy/v1", "gates": list(gates), **changes}


UNUSABLE: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    # a kind nobody knows: only that gate
    (document(gate(kind="horoscope")), {"check": "GATE_UNKNOWN_KIND", "approval": None}),
    # a config that cannot be used
    (document(gate(config={"confirmers": {}})), {"check": "GATE_CONFIG_INVALID", "approval": None}),
    # an onError that would pass
    (document(gate(onError="pass")), {"check": "GATE_CONFIG_INVALID", "approval": None}),
    # a mandatory gate with a broken config is not replaced by a sound one
    (
        document(gate(name="freeze-window", kind="freeze-window", config={"onFreeze": "ignore"})),
        {"freeze-window": "GATE_CONFIG_INVALID", "approval": None},
    ),
    # no gate at all
    (document("approval"), {"gate-0": "GATE_CONFIG_INVALID", "approval": None}),
    # a name that is none
    (document(gate(name=7)), {"gate-0": "GATE_CONFIG_INVALID"}),
    # the second of one name
    (document(gate(), gate(config={"confirmers": {"users": ["mei"]}, "text": "ok"})), {"approval": None}),
    # something else about the document: every gate that must be there
    (
        document(pendingTtl=-1),
        {
            "preconditions": "GATE_CONFIG_INVALID",
            "freeze-window": "GATE_CONFIG_INVALID",
            "approval": "GATE_CONFIG_INVALID",
        },
    ),
    # gates that are no list
    ({"schema": "stella.promotion-policy/v1", "gates": {}}, {"approval": "GATE_CONFIG_INVALID"}),
    # another schema
    (document(schema="stella.promotion-policy/v9"), {"approval": "GATE_CONFIG_INVALID"}),
]


@pytest.mark.parametrize(("content", "expected"), UNUSABLE)
def test_what_cannot_be_used_is_a_problem_of_its_gate(content: dict[str, Any], expected: dict[str, str | None]) -> None:
    found = dict(problems(content))
    assert {name: found[name] for name in expected} == expected
    assert set(found) >= {"preconditions", "approval"}


def test_a_kind_that_the_input_does_not_name_is_unknown_also_when_this_version_knows_it() -> None:
    kinds = {kind: version for kind, version in KINDS.items() if kind != "manual"}
    assert dict(problems(document(gate()), kinds))["check"] == "GATE_UNKNOWN_KIND"


def test_a_gate_of_an_unknown_kind_comes_last() -> None:
    assert problems(document(gate(kind="horoscope", name="aaa")))[-1][0] == "aaa"


def test_mandatory_gates_without_a_policy_wait_when_they_fail() -> None:
    assert {each.on_error for each in mandatory_plan(KINDS, REGISTRY)} == {"pending"}


def test_an_approval_policy_without_rules_is_unusable() -> None:
    with pytest.raises(DocumentUnusable):
        requirement(*stored({**APPROVAL.content, "rules": []}), None)


def test_an_approval_policy_of_another_schema_is_unusable() -> None:
    with pytest.raises(DocumentUnusable) as refusal:
        requirement(*stored({**APPROVAL.content, "schema": "stella.approval-policy/v9"}), None)
    assert [each.field for each in refusal.value.errors] == ["schema"]


CROWD = [candidate(f"p{index:04}") for index in range(501)]


def test_candidates_beside_the_input_are_found_by_digest() -> None:
    fact, blobs = candidates_fact(CROWD)
    assert candidates(blobs, fact) == CROWD


def test_candidates_that_did_not_come_are_missing() -> None:
    fact, _ = candidates_fact(CROWD)
    with pytest.raises(DocumentMissing):
        candidates({}, fact)


def test_candidates_that_are_not_as_many_as_said_are_unusable() -> None:
    fact, blobs = candidates_fact(CROWD)
    assert isinstance(fact, dict)
    with pytest.raises(DocumentUnusable):
        candidates(blobs, {**fact, "count": 500})


def test_a_document_of_another_kind_is_no_list_of_candidates() -> None:
    with pytest.raises(DocumentUnusable):
        candidates({POLICY.digest: POLICY.content}, {"digest": POLICY.digest, "count": 3})


def test_only_the_last_values_are_remembered() -> None:
    memory = library._Memory(2)
    made: list[int] = []
    for key in (1, 2, 1, 3, 1, 2):
        memory.get(key, lambda key=key: made.append(key))
    assert made == [1, 2, 3, 2]


def test_what_weighs_more_than_all_may_is_not_kept_and_drives_nothing_out() -> None:
    memory = library._Memory(10, len)
    made: list[int] = []

    def make(size: int) -> str:
        made.append(size)
        return "x" * size

    for size in (4, 5, 4, 11, 4):
        memory.get(size, lambda size=size: make(size))
    assert made == [4, 5, 11]


def test_what_is_made_of_a_document_is_made_once() -> None:
    blob = {"findings": list(range(3))}
    documents, made = {digest(blob): blob}, []

    def count(content: Mapping[str, Any]) -> list[int]:
        made.append(content)
        return list(content["findings"])

    assert [library.derived(documents, digest(blob), count) for _ in range(2)] == [[0, 1, 2]] * 2
    assert len(made) == 1
    with pytest.raises(library.DocumentMissing):
        library.derived({}, digest(blob), count)


def test_a_failure_is_not_remembered() -> None:
    memory = library._Memory(2)

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011  whichever it was
        memory.get(1, fail)
    assert memory.get(1, lambda: "value") == "value"


def test_many_threads_may_read_at_once() -> None:
    memory = library._Memory(4)
    seen: list[int] = []

    def read() -> None:
        seen.extend(memory.get(index % 8, lambda index=index: index % 8) - index % 8 for index in range(500))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert seen == [0] * 2000
