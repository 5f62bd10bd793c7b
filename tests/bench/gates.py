"""What the document gates cost (issue 3): judging, the policy engine, replaying stored decisions."""

import os
import statistics
import time
from collections.abc import Callable
from typing import Any

REPLAYED = 4_000
CEL = "promotion.isRollback || target.name != ''"


def milliseconds(act: Callable[[], Any], times: int) -> float:
    """The median of so many runs, after one that is not counted."""
    act()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def judging() -> float:
    """Milliseconds for all gates of a promotion with ten components and 5,000 findings, in this process."""
    from tests.policies.security.crowd import case, judge_often

    return 1000 * statistics.median(judge_often(case())[1])


def asking() -> float:
    """Milliseconds for one CEL policy about a promotion with the bundle of `judging`, the child process included."""
    from policies.engines.ask import ask, input_about
    from policies.gates import REGISTRY
    from tests.policies.security.crowd import case

    promotion = case()
    config = {"engine": "cel", "text": CEL, "query": None, "data": {}, "timeoutMs": 1000}
    about = input_about(promotion.facts, promotion.documents)
    version = REGISTRY.current["policy"]
    answer = ask(config, about, version=version)
    assert answer["error"] is None, answer
    return milliseconds(lambda: ask(config, about, version=version), 200)


def replaying(tenant_id: Any) -> tuple[int, float]:
    """How many stored decisions were replayed, and how many would be in ten minutes, on all cores."""
    from promotions.verification.replay_all import replay_all

    began = time.perf_counter()
    total = 0
    for tally in replay_all(tenant_id, os.cpu_count() or 1):
        total = tally.total
        if tally.different:
            raise SystemExit(f"Decisions differ: {tally.named}")
        if total >= REPLAYED:
            break
    return total, 600 * total / (time.perf_counter() - began)
