"""How many examples a property is tried with."""

import os
from typing import Final

FEW: Final = 20
_FAST = os.environ.get("FAST_TESTS") == "1"


def examples(number: int) -> int:
    """The number; FEW at most for `make test-fast`, which is for the time while you work."""
    return min(number, FEW) if _FAST else number
