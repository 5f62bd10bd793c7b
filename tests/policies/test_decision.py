import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.decision import decide

TABLE = [
    # everything passes
    (["pass"], "allow"),
    (["pass", "pass"], "allow"),
    # a warning allows
    (["warn"], "allow"),
    (["pass", "warn"], "allow"),
    # one pending gate waits
    (["pass", "pending", "warn"], "pending"),
    (["pending"], "pending"),
    # one failing gate denies
    (["pass", "fail"], "deny"),
    # also beside a pending one
    (["pending", "fail", "pass"], "deny"),
    # no gate said yes
    ([], "pending"),
]


@pytest.mark.parametrize(("statuses", "expected"), TABLE)
def test_truth_table(statuses: list[str], expected: str) -> None:
    assert decide(statuses) == expected


statuses = st.lists(st.sampled_from(["pass", "warn", "pending", "fail"]), max_size=8)


@given(statuses, st.randoms(use_true_random=False))
def test_the_order_of_gates_never_matters(given_statuses: list[str], random: object) -> None:
    shuffled = list(given_statuses)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert decide(shuffled) == decide(given_statuses)


@given(statuses, st.sampled_from(["pending", "fail"]))
def test_one_more_gate_that_does_not_pass_never_allows(given_statuses: list[str], worse: str) -> None:
    assert decide([*given_statuses, worse]) != "allow"


@pytest.mark.parametrize("status", ["passed", "", "PASS", "skipped"])
def test_a_status_that_is_none_is_refused(status: str) -> None:
    with pytest.raises(ValueError, match="no such status"):
        decide(["pass", status])
