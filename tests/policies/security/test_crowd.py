from policies.evaluator import evaluate
from tests.policies.security import crowd


def test_what_make_bench_measures_is_judged_in_full() -> None:
    """Ten components, 5,000 findings of which VEX lifts 100, and every gate passes."""
    case = crowd.case()
    evaluation = evaluate(case.facts, case.documents)
    assert evaluation.decision == "allow"
    assert next(each for each in evaluation.gates if each.name == "cve").details["counts"]["total"] == 4_900
