"""The list of events (stellapromote/audit/events.py) is what is noted, told, shown and documented."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from policies.proposals import ACTIONS
from promotions.actions import proposals
from promotions.pages import timeline
from promotions.states import TRANSITIONS
from promotions.worker import outbox
from stellapromote.audit.events import AUDITED, FOUND, OF_PROMOTION, TOLD

ROOT = Path(__file__).parents[2]
DOMAIN = ROOT / "docs" / "design" / "domain.md"
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
OBJECTS = {name.partition(".")[0] for name in AUDITED | TOLD}
LIST = "stellapromote/audit/events.py"
# They read events, and note none.
READERS = (
    "promotions/reading/event_types.py",
    "promotions/pages/",
    "promotions/verification/",
    "promotions/voting/blindness.py",
    "promotions/api/audit.py",
)
NO_EVENTS = {"environment.id": "a column in SQL"}

assert proposals  # the kinds of proposals are declared when the actions are imported


@cache
def modules() -> list[tuple[str, ast.Module]]:
    paths = {
        path.relative_to(ROOT).as_posix(): path
        for folder in ("stellapromote", "policies", "environments", "promotions")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    return [
        (where, ast.parse(path.read_text()))
        for where, path in paths.items()
        if "/migrations/" not in where and where != LIST
    ]


def texts_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
            yield node.value


@cache
def written() -> dict[str, set[str]]:
    """Names as the code has them, by module."""
    return {where: {each for each in texts_in(tree) if each.split(".")[0] in OBJECTS} for where, tree in modules()}


@cache
def notes() -> list[tuple[str, bool]]:
    """Every name that a unit of work notes, as it stands in the code, and whether the outside is told."""
    return list(_notes())


def _notes() -> Iterator[tuple[str, bool]]:
    for _, tree in modules():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "note"):
                continue
            inside = any(
                each.arg == "outside" and isinstance(each.value, ast.Constant) and each.value.value is False
                for each in node.keywords
            )
            if isinstance(node.args[0], ast.Constant):
                yield node.args[0].value, not inside


def test_every_name_that_the_code_writes_is_in_the_list() -> None:
    known = AUDITED | TOLD | ACTIONS.keys() | NO_EVENTS.keys()
    assert {where: found for where, names in written().items() if (found := names - known)} == {}


def test_every_name_in_the_list_is_noted_somewhere() -> None:
    noted = {name for where, names in written().items() if not where.startswith(READERS) for name in names}
    assert noted - ACTIONS.keys() - NO_EVENTS.keys() == AUDITED | TOLD


def test_a_unit_of_work_notes_events_of_promotions_and_no_others() -> None:
    noted = {name for name, _ in notes()}
    assert noted | {each.event for each in TRANSITIONS} == OF_PROMOTION


def test_the_outside_hears_what_units_of_work_tell_it_and_what_the_worker_derives() -> None:
    told = {name for name, outside in notes() if outside} | {each.event for each in TRANSITIONS}
    derived = {name for name in TOLD - OF_PROMOTION if name in written()["promotions/worker/outbox.py"]}
    asked_for = {"webhook.tested"} & written()["promotions/actions/webhooks.py"]
    assert told | derived | asked_for == TOLD
    assert set(outbox.EVENTS.values()) <= derived
    assert outbox.EVENTS.keys() <= AUDITED


def test_a_timeline_has_words_for_each_event_of_a_promotion() -> None:
    assert timeline._WORDS.keys() == OF_PROMOTION | FOUND
    assert timeline._OF_A_GATE.keys() | timeline._CONCLUDED <= OF_PROMOTION


def test_the_design_lists_what_the_outside_is_told() -> None:
    section = DOMAIN.read_text().partition("## 10. Events")[2]
    listed = next(line for line in section.splitlines() if line.startswith("promotion.requested"))
    names: list[str] = []
    for name in re.findall(r"[a-z_]*\.[a-z_]+", listed):
        names.append(names[-1].partition(".")[0] + name if name.startswith(".") else name)
    assert len(names) == len(set(names))
    assert set(names) == TOLD


@pytest.mark.parametrize("name", sorted(AUDITED | TOLD))
def test_a_name_says_of_what_and_what_happened(name: str) -> None:
    assert NAME.fullmatch(name)
    assert name not in ACTIONS
