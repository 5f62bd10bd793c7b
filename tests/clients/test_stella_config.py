"""`stella config`: the settings of a tenant as a file."""

from pathlib import Path

import pytest

from environments.models import Environment
from policies.models import Proposal
from tests.clients.stella import by, typed
from tests.promotions.api.world import World

pytestmark = pytest.mark.slow


def edited(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


def test_a_file_is_exported_planned_and_applied(world: World, url: str, tmp_path: Path) -> None:
    stella, file = by(world, url, "greta"), tmp_path / "stella.yaml"
    assert stella("config", "export", str(file)).code == 0
    assert stella("config", "export").out == file.read_text()
    same = stella("config", "plan", str(file))
    assert (same.code, same.out) == (0, "No difference.\n")

    edited(file, "displayName: Dev", "displayName: Workbench")
    plan = stella("config", "plan", str(file), "--json")
    assert (plan.code, plan.json["differs"]) == (2, True)
    unseen = stella("config", "apply", str(file))
    assert (unseen.code, "There is no terminal" in unseen.err) == (2, True)
    assert typed(stella, "n", "config", "apply", str(file)).code == 5
    assert not Environment.objects.filter(display_name="Workbench").exists()
    applied = stella("config", "apply", str(file), "--plan", plan.json["planId"])
    assert (applied.code, applied.out.splitlines()[-1]) == (0, "All of it is in force."), applied
    assert Environment.objects.get(name="dev").display_name == "Workbench"

    edited(file, "displayName: Workbench", "displayName: Other")
    stale = stella("config", "apply", str(file), "--plan", plan.json["planId"])
    assert (stale.code, "changed since" in stale.err) == (3, True)


def test_what_loosens_waits_and_is_said(world: World, url: str, tmp_path: Path) -> None:
    stella, file = by(world, url, "greta"), tmp_path / "stella.yaml"
    assert stella("config", "export", str(file)).code == 0
    edited(file, "approvalPolicies: [two-person]", "approvalPolicies: []")
    applied = stella("config", "apply", str(file), "--yes")
    assert applied.code == 2
    assert applied.out.splitlines() == [
        "update environment production: a second person confirms it",
        "  approvalPolicies: none, was two-person",
        "  looser: Environment production: Approval policy two-person does not apply any more.",
        "  Another person confirms the proposal.",
        f"  proposal {Proposal.objects.get().pk}",
        "Not all of it is in force yet.",
    ]


def test_a_reader_checks_for_drift(world: World, url: str, tmp_path: Path) -> None:
    stella, file = by(world, url, "vera"), tmp_path / "stella.yaml"
    exported = stella("config", "export", str(file))
    assert (exported.code, exported.err) == (0, "Left out, because this token may not read them: teams.\n")
    assert stella("config", "plan", str(file)).code == 0
    edited(file, "displayName: Dev", "displayName: Workbench")
    plan = stella("config", "plan", str(file))
    assert plan.code == 2
    assert "An apply needs more rights than this token has: environment:write." in plan.out
    edited(file, "schema:", "schema: &x")
    assert "at line 1, column 9" in stella("config", "plan", str(file)).err
