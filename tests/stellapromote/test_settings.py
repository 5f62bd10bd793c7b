"""Settings are read at import, so each case is a process of its own with nothing but its own environment.

The processes are forks of one that has imported the libraries and the policies, but nothing of `stellapromote`.
"""

import io
import json
import logging
import logging.config
import os
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.conf import settings
from django.http import HttpRequest

from tests.forks import Forks, forks

pytestmark = pytest.mark.slow

READ = """
import json, stellapromote.settings as settings
print(json.dumps([getattr(settings, name) for name in NAMES], default=str))
"""
EXTERNAL = {"DATABASE_URL": "postgresql://web@db.example/stella", "SECRET_KEY": "k" * 40}


IMPORTS = """
import sys, stellapromote.settings
for name in [each for each in sys.modules if each.split(".")[0] == "stellapromote"]:
    del sys.modules[name]
"""
"""Settings are read in `stellapromote` alone."""


@dataclass(frozen=True)
class Read:
    """What settings become in an environment."""

    forked: Forks
    state: Path

    def __call__(self, *names: str, **environment: str) -> Any:
        done = self.start(READ.replace("NAMES", repr(names)), environment)
        assert done.returncode == 0, done.stderr
        values = json.loads(done.stdout)
        return values[0] if len(values) == 1 else values

    def refusal(self, **environment: str) -> str:
        done = self.start("import stellapromote.settings", environment)
        assert done.returncode != 0
        return done.stderr.strip().splitlines()[-1]

    def start(self, script: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        whole = {"PATH": os.environ["PATH"], "STELLAPROMOTE_DATA": str(self.state), **environment}
        return self.forked.run(script, whole)


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    data = tmp_path_factory.mktemp("settings")
    with forks(IMPORTS, data / "log", STELLAPROMOTE_DATA=str(data)) as started:
        yield started


@pytest.fixture
def read(forked: Forks, tmp_path: Path) -> Read:
    return Read(forked, tmp_path / "data")


def test_debug_is_off_by_default(read: Read) -> None:
    assert read("DEBUG") is False


def test_secret_key_of_an_installation_is_generated_and_kept(read: Read) -> None:
    assert read("SECRET_KEY") == read("SECRET_KEY") != ""


def test_figures_are_for_nobody_by_default(read: Read) -> None:
    assert read("METRICS_ALLOW", "METRICS_TOKEN") == [[], ""]


@pytest.mark.parametrize("token", ["short", "k" * 31, "ü" * 40])
def test_a_token_for_figures_that_can_be_guessed_or_not_be_sent_stops_the_start(read: Read, token: str) -> None:
    assert "METRICS_TOKEN is shorter than 32 characters" in read.refusal(METRICS_TOKEN=token)


def test_external_database_needs_a_secret_key(read: Read) -> None:
    assert "SECRET_KEY is not set" in read.refusal(DATABASE_URL="postgresql://db.example/stella")


def test_short_secret_key_is_refused(read: Read) -> None:
    assert "shorter than 32" in read.refusal(SECRET_KEY="short")


PREPARED = {"server_side_binding": True, "prepare_threshold": None}
AS_APP_ROLE = "-c role=stellapromote_app -c search_path=public,pg_temp"
TIMEOUTS = "-c lock_timeout=5s -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s"
NETWORK = {"connect_timeout": 15, "tcp_user_timeout": 15000}
PROBES = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}


def test_external_database_is_used_as_the_app_role_with_time_outs(read: Read) -> None:
    database = read("DATABASES", **EXTERNAL)["default"]
    assert (database["HOST"], database["OPTIONS"]) == (
        "db.example",
        {"options": f"{TIMEOUTS} {AS_APP_ROLE}", **NETWORK, **PROBES, **PREPARED},
    )


def test_options_of_the_database_url_are_kept(read: Read) -> None:
    url = "postgresql://web@db.example/stella?sslmode=require&options=-c%20statement_timeout%3D9s"
    options = read("DATABASES", **(EXTERNAL | {"DATABASE_URL": url}))["default"]["OPTIONS"]
    assert options["sslmode"] == "require"
    assert options["options"] == f"{TIMEOUTS} -c statement_timeout=9s {AS_APP_ROLE}"


def test_an_address_may_have_several_hosts(read: Read) -> None:
    url = "postgresql://web@h1:5541,h2:5542/stella?target_session_attrs=read-write"
    database = read("DATABASES", **(EXTERNAL | {"DATABASE_URL": url}))["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("h1,h2", "5541,5542", "stella")
    assert database["OPTIONS"]["target_session_attrs"] == "read-write"


def test_time_outs_are_set_in_seconds(read: Read) -> None:
    wanted = {"DATABASE_LOCK_TIMEOUT": "2", "DATABASE_STATEMENT_TIMEOUT": "60", "DATABASE_IDLE_TIMEOUT": "0"}
    options = read("DATABASES", DATABASE_NETWORK_TIMEOUT="9", **wanted, **EXTERNAL)["default"]["OPTIONS"]
    session = "-c lock_timeout=2s -c statement_timeout=60s -c idle_in_transaction_session_timeout=0s"
    assert options["options"] == f"{session} {AS_APP_ROLE}"
    assert options["tcp_user_timeout"] == 9000


def test_the_owner_waits_as_long_as_a_migration_takes(read: Read) -> None:
    assert "timeout" not in str(read("DATABASES", **EXTERNAL)["owner"])


def test_owner_has_no_role_option(read: Read) -> None:
    assert "stellapromote_app" not in str(read("DATABASES", **EXTERNAL)["owner"])


def test_owner_of_an_external_database_is_its_own_login_when_given(read: Read) -> None:
    databases = read("DATABASES", DATABASE_OWNER_URL="postgresql://boss@db.example/stella", **EXTERNAL)
    assert (databases["default"]["USER"], databases["owner"]["USER"]) == ("web", "boss")


def test_embedded_database_is_used_as_two_different_logins(read: Read) -> None:
    databases = read("DATABASES")
    assert databases["default"]["USER"] != databases["owner"]["USER"]


def test_connections_are_kept(read: Read) -> None:
    assert read("DATABASES")["default"]["CONN_MAX_AGE"] is None


@pytest.mark.parametrize(
    "url",
    ["mysql://db.example/stella", "nonsense", "postgresql://db.example", "sqlite:///x", "postgresql://\udcff@h/x"],
)
def test_database_url_that_names_no_postgresql_database_is_refused_with_an_example(read: Read, url: str) -> None:
    said = read.refusal(**(EXTERNAL | {"DATABASE_URL": url}))
    assert said.endswith("postgresql://user:password@host:5432/name.")
    assert len(said) < 160


def test_refusal_of_a_database_url_does_not_show_its_password(read: Read) -> None:
    assert "hunter2" not in read.refusal(**(EXTERNAL | {"DATABASE_URL": "postgresql://u:hunter2@h:port/x"}))


def test_https_origin_makes_cookies_secure_and_sends_hsts(read: Read) -> None:
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_HSTS_SECONDS")
    assert read(*names, CSRF_TRUSTED_ORIGINS="https://promote.example.org") == [True, True, 31536000]


def test_plain_http_has_neither(read: Read) -> None:
    assert read("SESSION_COOKIE_SECURE", "SECURE_HSTS_SECONDS") == [False, 0]


def test_forwarded_scheme_is_believed_only_behind_configured_proxies(read: Read) -> None:
    assert read("SECURE_PROXY_SSL_HEADER", HTTPS="1") is None
    assert read("SECURE_PROXY_SSL_HEADER", HTTPS="1", TRUSTED_PROXIES="1") is not None


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False)]
)
def test_loopback_is_recognised(read: Read, host: str, loopback: bool) -> None:
    assert read("LISTENS_ON_LOOPBACK", HOST=host) is loopback


def test_address_that_is_listened_on_is_an_allowed_host(read: Read) -> None:
    assert "192.0.2.7" in read("ALLOWED_HOSTS", HOST="192.0.2.7")


@pytest.mark.parametrize(("written", "value"), [("", None), ("0", False), ("1", True)])
def test_demo_is_asked_for_refused_or_left_to_the_rule(read: Read, written: str, value: bool | None) -> None:
    assert read("DEMO", DEMO=written) is value


def test_wrong_port_is_refused_in_one_sentence(read: Read) -> None:
    assert "PORT is 'http'. Write a whole number from 1 to 65535." in read.refusal(PORT="http")


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    assert project["project"]["version"] == settings.STELLAPROMOTE_VERSION


def logged(emit: Callable[[logging.Logger], None]) -> dict[str, Any]:
    """The line that the product's logging writes for what `emit` logs."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(
        logging.config.DictConfigurator(settings.LOGGING).configure_formatter(
            dict(settings.LOGGING["formatters"]["json"])
        )
    )
    logger = logging.Logger("stellapromote.example")
    logger.addHandler(handler)
    emit(logger)
    line: dict[str, Any] = json.loads(written.getvalue())
    return line


def test_log_line_is_json_with_the_request_id_of_the_context() -> None:
    with structlog.contextvars.bound_contextvars(request_id="abc"):
        line = logged(lambda logger: logger.warning("%s things", 3))
    assert (line["event"], line["level"], line["request_id"]) == ("3 things", "warning", "abc")


def test_log_line_of_django_about_a_request_has_its_ids_after_the_middleware_was_left() -> None:
    request = HttpRequest()
    request.request_id = "abc"  # type: ignore[attr-defined]
    request.traceparent = f"00-{'ab' * 16}-{'cd' * 8}-01"  # type: ignore[attr-defined]
    line = logged(lambda logger: logger.warning("Not Found", extra={"request": request}))
    assert (line["request_id"], line["trace_id"]) == ("abc", "ab" * 16)


def test_log_line_says_what_a_failure_is_about_and_nothing_else_of_the_record() -> None:
    about = {"step": "reevaluate", "promotion_id": "0193", "failures": 2, "retry_at": "soon", "reason": "no such file"}
    line = logged(lambda logger: logger.error("failed", extra={**about, "request": None, "password": "secret"}))
    assert about.items() <= line.items()
    assert not {"request", "password"} & line.keys()


def test_no_log_line_has_a_one_time_link() -> None:
    line = logged(lambda logger: logger.warning("%s: %s", "Not Found", "/welcome/invitation/secret-of-a-link"))
    assert line["event"] == "Not Found: /welcome/…"


def test_traceback_of_an_error_is_in_its_log_line() -> None:
    def fail(logger: logging.Logger) -> None:
        try:
            raise LookupError("lost")
        except LookupError:
            logger.exception("failed")

    assert "LookupError: lost" in logged(fail)["exception"]


def test_no_policy_server_is_known_unless_it_is_listed(read: Read) -> None:
    assert read("OPA_CONNECTIONS") == {}


@pytest.mark.parametrize("written", ["10.0.0.1/8", "opa", "http://opa:8181"])
def test_an_exception_for_outbound_calls_that_is_none_is_refused_with_an_example(read: Read, written: str) -> None:
    assert "10.0.0.0/8,opa.internal:8181" in read.refusal(OUTBOUND_ALLOW=written)


def test_a_refusal_of_policy_servers_does_not_show_a_token(read: Read) -> None:
    told = read.refusal(OPA_CONNECTIONS="main=http://opa.internal:8181", OPA_TOKENS="other=hunter2")
    assert "hunter2" not in told
    assert "name=token" in told


def test_over_https_no_other_host_can_plant_a_cookie(read: Read) -> None:
    names = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME")
    assert read(*names, HTTPS="1") == ["__Host-sessionid", "__Host-csrftoken"]
    assert read(*names) == ["sessionid", "csrftoken"]


def test_no_e_mail_is_sent_unless_a_server_is_named(read: Read) -> None:
    assert "dummy" in read("MAIL_SERVER")
    assert read("EMAIL_BACKEND") == "django.core.mail.backends.dummy.EmailBackend"


def test_a_mail_server_needs_the_address_that_sends(read: Read) -> None:
    server = {"EMAIL_URL": "smtps://promote:hunter2@mail.example.org"}
    assert "EMAIL_FROM" in read.refusal(**server)
    assert "EMAIL_FROM" in read.refusal(**server, EMAIL_FROM="promote")
    told = read("MAIL_SERVER", **server, EMAIL_FROM="promote@example.org")
    assert "port=465" in told
    assert "hunter2" not in told
