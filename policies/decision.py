"""The decision that gate results make (domain.md §7)."""

from collections.abc import Iterable

from policies.outcomes import STATUSES, Decision


def decide(statuses: Iterable[str]) -> Decision:
    """Any fail: deny; else any pending: pending; else allow. No gate at all is pending: nothing said yes.

    ValueError for a status that is none.
    """
    seen = set(statuses)
    if not seen <= STATUSES:
        raise ValueError(f"no such status: {sorted(seen - STATUSES)}")
    if "fail" in seen:
        return "deny"
    return "pending" if "pending" in seen or not seen else "allow"
