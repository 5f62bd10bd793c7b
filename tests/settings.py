"""The product's settings for tests: a state directory of this run, cheap passwords, static files from where they are.

tests/conftest.py starts the throw-away PostgreSQL and points both database aliases at it. A process that a test starts
(live server, worker, command) finds the same state directory and database through the environment.
"""

import atexit
import os
import shutil
import tempfile

# Empty without pytest-xdist. A process that a test starts inherits both and makes no state of its own.
_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if os.environ.get("STELLAPROMOTE_TEST_WORKER") != _worker:
    os.environ["STELLAPROMOTE_TEST_WORKER"] = _worker
    _state = tempfile.mkdtemp(prefix="stellapromote-test-")
    os.chmod(_state, 0o711)  # noqa: PTH101, S103 - the database's account passes through
    atexit.register(shutil.rmtree, _state, ignore_errors=True)
    os.environ["STELLAPROMOTE_TEST_DATA"] = _state
    for _name in ("DATABASE_URL", "DATABASE_OWNER_URL", "SECRET_KEY", "DEBUG", "DEMO", "HTTPS", "HOST", "PORT"):
        os.environ.pop(_name, None)
        os.environ.pop(f"{_name}_FILE", None)
os.environ["STELLAPROMOTE_DATA"] = os.environ["STELLAPROMOTE_TEST_DATA"]

from stellapromote.settings import *  # noqa: E402, F403

ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "[::1]"]
API_RATE_LIMIT = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
EMBEDDED_POSTGRES = EmbeddedPostgres(STELLAPROMOTE_DATA, throw_away=True)  # noqa: F405
