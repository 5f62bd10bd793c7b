"""The closed table of what may run in a child, and the limits of each group of tasks.

Tasks of one group share one child; a group that handles documents must not slow down one that handles expressions, nor
large documents the small ones of everybody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Group:
    """One child. `most_output` bounds an answer; `open_files` counts the three standard ones: 3 opens none.

    `memory` limits its address space: a child with the CEL engine maps 30 MiB before it works, one with Rego 60.
    """

    name: str
    memory: int
    open_files: int
    most_output: int


EXPRESSIONS: Final = Group("expressions", memory=512 * MIB, open_files=3, most_output=MIB)
MODULES: Final = Group("modules", memory=512 * MIB, open_files=3, most_output=MIB)
DOCUMENTS: Final = Group("documents", memory=1024 * MIB, open_files=16, most_output=64 * MIB)
SMALL_DOCUMENTS: Final = Group("small-documents", memory=1024 * MIB, open_files=16, most_output=64 * MIB)

TASKS: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "policies.engines.cel:check": EXPRESSIONS,
        "policies.engines.cel:evaluate": EXPRESSIONS,
        "policies.engines.cel:warm_up": EXPRESSIONS,
        "policies.engines.rego:check": MODULES,
        "policies.engines.rego:evaluate": MODULES,
        "policies.engines.rego:warm_up": MODULES,
        "promotions.formats.parse:parse": DOCUMENTS,
        "promotions.formats.parse:parse_small": SMALL_DOCUMENTS,
    }
)
"""Dotted name of a function `(payload: bytes) -> bytes`, importable without Django, and the group it runs in."""
