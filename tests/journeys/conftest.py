from collections.abc import Iterator

import pytest

from tests.forks import forks

IMPORTS = """
import django, manage
django.setup()
from django.core.checks import run_checks
run_checks()
"""


@pytest.fixture(scope="session")
def manage(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What a shell runs for `.venv/bin/python manage.py`: a fork each time. tests/test_manage.py starts it as it is."""
    log = tmp_path_factory.mktemp("manage") / "forks.log"
    with forks(IMPORTS, log, DJANGO_SETTINGS_MODULE="tests.settings") as forked:
        yield f"{forked.typed('import manage; manage.main()')} manage.py"
