"""docs/gates.md says everything that a gate can be told or can answer."""

import re
from pathlib import Path

import pytest

from policies.eligibility import SENTENCES
from policies.gates import REGISTRY

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
POLICIES = ROOT / "policies"
SOURCES = [
    *sorted((POLICIES / "gates").rglob("*.py")),
    *sorted((POLICIES / "security").glob("*.py")),
    POLICIES / "evaluator.py",
    POLICIES / "library.py",
    POLICIES / "overrides.py",
]
CODE = re.compile(r'"([A-Z]+(?:_[A-Z]+)+|SUPERSEDED)"')
CODES = sorted({code for source in SOURCES for code in CODE.findall(source.read_text(encoding="utf-8"))})


def test_the_codes_are_found() -> None:
    assert {"GATE_FROZEN", "GATE_ERROR", "APPROVAL_PENDING"} <= set(CODES)


@pytest.mark.parametrize("code", [*CODES, *SENTENCES])
def test_every_code_is_on_the_page(code: str) -> None:
    assert f"`{code}`" in PAGE


@pytest.mark.parametrize("kind", sorted(REGISTRY.current))
def test_every_kind_has_its_section_with_rank_and_settings(kind: str) -> None:
    known = REGISTRY.kinds[kind, REGISTRY.current[kind]]
    assert f"\n## {kind} (rank {known.rank})\n" in PAGE
    section = PAGE.split(f"\n## {kind} (rank")[1].split("\n## ")[0]
    assert all(f"`{setting}`" in section for setting in known.config_schema["properties"])
