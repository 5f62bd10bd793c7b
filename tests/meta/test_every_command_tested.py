"""Every management command of the product is run by some test, by its name (architecture.md, writing rule 12)."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.management import find_commands

TESTS = Path(__file__).parents[1]

RUNS = re.compile(r"""\b(?:call_command|runs?)\(\s*["']([a-z_]+)["']""")


def of_the_product() -> list[str]:
    """The commands that our own apps bring, not those of Django and libraries."""
    ours = [app for app in apps.get_app_configs() if Path(app.path).is_relative_to(settings.BASE_DIR)]
    ours = [app for app in ours if ".venv" not in Path(app.path).parts]
    return sorted(name for app in ours for name in find_commands(str(Path(app.path) / "management")))


def run_by_tests() -> set[str]:
    return {name for path in TESTS.rglob("test_*.py") for name in RUNS.findall(path.read_text())}


def test_there_are_commands() -> None:
    assert {"add_tenant", "run_worker", "migrate"} <= set(of_the_product())


@pytest.mark.parametrize("name", of_the_product())
def test_a_test_runs_it(name: str) -> None:
    assert name in run_by_tests(), f"no test runs manage.py {name}: write one"
