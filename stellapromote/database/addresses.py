"""Django's DATABASES from the address of a PostgreSQL, or from the embedded one.

`default` works as the app role, on every connection from its first byte; `owner` changes structure and is used by the
commands migrate, register_signing_key and retire_signing_key alone (docs/adr/0002-two-database-roles.md).
"""

from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from stellapromote.environment_variables import EnvironmentVariables
from stellapromote.postgresql.embedded import LOGIN, OWNER, EmbeddedPostgres, EmbeddedPostgresError
from stellapromote.postgresql.roles import APP_ROLE, SEARCH_PATH

IN_OUR_SCHEMA: Final = f"-c search_path={SEARCH_PATH}"
AS_APP_ROLE: Final = f"-c role={APP_ROLE} {IN_OUR_SCHEMA}"

EXAMPLE: Final = "postgresql://user:password@host:5432/name"
_NAMES: Final = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest that PostgreSQL and the network may keep a process waiting, in seconds; 0: without end.

    ``lock``: for a row that another transaction holds. ``statement``: for one statement. ``idle``: a transaction
    without statements is ended, so that a lost host holds no lock. ``network``: for bytes that the other end does not
    acknowledge.
    """

    lock: int
    statement: int
    idle: int
    network: int

    @classmethod
    def from_environment(cls, env: EnvironmentVariables) -> "Timeouts":
        def seconds(name: str, default: int) -> int:
            return env.integer(f"DATABASE_{name}_TIMEOUT", default, at_least=0, at_most=86_400)

        return cls(seconds("LOCK", 5), seconds("STATEMENT", 30), seconds("IDLE", 30), seconds("NETWORK", 15))

    @property
    def of_session(self) -> str:
        return (
            f"-c lock_timeout={self.lock}s -c statement_timeout={self.statement}s "
            f"-c idle_in_transaction_session_timeout={self.idle}s"
        )

    @property
    def of_network(self) -> dict[str, Any]:
        """For libpq: when it gives up a connection whose other end is gone."""
        probes = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 2}
        return {"connect_timeout": self.network, "tcp_user_timeout": 1000 * self.network, **probes}


def databases(env: EnvironmentVariables, url: str, embedded: EmbeddedPostgres | None) -> dict[str, dict[str, Any]]:
    """Both aliases. Raises ImproperlyConfigured, whose words never hold a password."""
    if embedded is None:
        default = _external("DATABASE_URL", url)
        owner = _external("DATABASE_OWNER_URL", env.text("DATABASE_OWNER_URL", url))
    else:
        default, owner = _embedded(embedded, LOGIN), _embedded(embedded, OWNER)
    timeouts = Timeouts.from_environment(env)
    ours = {"server_side_binding": True, "prepare_threshold": None}
    default["OPTIONS"] = timeouts.of_network | _options(default, timeouts.of_session, AS_APP_ROLE) | ours
    owner["OPTIONS"] = _options(owner, "", IN_OUR_SCHEMA)
    # A connection per request is ten times slower. One that its server closed is noticed before the next request
    # (stellapromote.database.ended_connections).
    default["CONN_MAX_AGE"] = None
    return {"default": default, "owner": owner}


def _external(variable: str, url: str) -> dict[str, Any]:
    """The settings in an address, of one host or of several. Options that Django does not know go on to libpq."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ImproperlyConfigured(f"{variable} must name a PostgreSQL database: write {EXAMPLE}.")
    try:
        parsed = conninfo_to_dict(url)
    except (ProgrammingError, UnicodeError):  # their words may hold the password
        message = f"{variable} cannot be read as the address of a database: write {EXAMPLE}."
        raise ImproperlyConfigured(message) from None
    if not all(port.isdigit() for port in str(parsed.get("port", 5432)).split(",")):
        raise ImproperlyConfigured(f"{variable} has a port that is no number: write {EXAMPLE}.")
    if not parsed.get("dbname"):
        raise ImproperlyConfigured(f"{variable} must name a PostgreSQL database: write {EXAMPLE}.")
    named = {django: str(parsed.pop(name)) for name, django in _NAMES.items() if name in parsed}
    return {"ENGINE": "django.db.backends.postgresql", **named, "OPTIONS": parsed}


def _embedded(embedded: EmbeddedPostgres, user: str) -> dict[str, Any]:
    try:
        connection = embedded.connection(user)
    except EmbeddedPostgresError as error:
        raise ImproperlyConfigured(str(error)) from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": connection.host,
        "PORT": connection.port,
        "USER": connection.user,
        "PASSWORD": connection.password,
        "NAME": connection.dbname,
    }


def _options(database: dict[str, Any], before: str, after: str) -> dict[str, Any]:
    """The later of two settings of a session wins: the address may set other time-outs, and no other role."""
    given = dict(database.get("OPTIONS", {}))
    return given | {"options": " ".join(filter(None, [before, given.get("options"), after]))}
