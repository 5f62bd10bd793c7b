"""All settings, from the environment (docs/production.md lists the variables). A wrong value stops the start."""

import re
from pathlib import Path
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

from policies import outbound
from policies.engines import opa
from stellapromote import VERSION
from stellapromote.database.addresses import databases
from stellapromote.environment_variables import EnvironmentVariables, is_loopback
from stellapromote.generated_secrets import secret_from_file
from stellapromote.mail_server import mail_server, sender
from stellapromote.postgresql.embedded import EmbeddedPostgres
from stellapromote.web.traceparent import trace_logged

env = EnvironmentVariables()

BASE_DIR = Path(__file__).resolve().parent.parent
STELLAPROMOTE_VERSION = VERSION
STELLAPROMOTE_DATA = Path(env.text("STELLAPROMOTE_DATA", str(BASE_DIR / ".data"))).absolute()

DEBUG = env.boolean("DEBUG", default=False)
DATABASE_URL = env.text("DATABASE_URL")

# Where `make run` listens, and whether demo data was asked for (DEMO=1), refused (DEMO=0) or left to the rule (None).
LISTEN_HOST = env.text("HOST", "127.0.0.1")
LISTEN_PORT = env.integer("PORT", 8000, at_least=1, at_most=65535)
DEMO: bool | None = env.boolean("DEMO", default=False) if env.text("DEMO") else None
LISTENS_ON_LOOPBACK = is_loopback(LISTEN_HOST)

# How many threads of a web process run Django; one more is for large bodies (stellapromote/front).
WEB_THREADS = env.integer("WEB_THREADS", 2, at_least=1, at_most=32)

# Calls that each token, and each address without one, may make in a minute to one web process; 0: no limit.
API_RATE_LIMIT = env.integer("API_RATE_LIMIT", 3000, at_least=0, at_most=1_000_000)

# The callers that may read /metrics: those in these networks, and those that send this token.
METRICS_ALLOW = env.networks("METRICS_ALLOW")
METRICS_TOKEN = env.text("METRICS_TOKEN")
if METRICS_TOKEN and not (METRICS_TOKEN.isascii() and METRICS_TOKEN.isprintable() and len(METRICS_TOKEN) >= 32):
    raise ImproperlyConfigured(
        "METRICS_TOKEN is shorter than 32 characters, or has others than ASCII. Write a long random one."
    )

# Secrets ---------------------------------------------------------------------------------------------------------


def _secret_key() -> str:
    given = env.text("SECRET_KEY")
    if given:
        if len(given) < 32:
            raise ImproperlyConfigured("SECRET_KEY is shorter than 32 characters. Write a long random one.")
        return given
    if DATABASE_URL:
        raise ImproperlyConfigured(
            "SECRET_KEY is not set. With DATABASE_URL every process must get the same one: set SECRET_KEY or "
            "SECRET_KEY_FILE, for example to 64 random characters."
        )
    return secret_from_file(STELLAPROMOTE_DATA / "secret-key")


SECRET_KEY = _secret_key()
SECRET_KEY_FALLBACKS = env.items("SECRET_KEY_FALLBACKS")

# The key that signs evidence: its PEM from the environment, else the file, made on first use (stellapromote.signing).
SIGNING_KEY_PEM = env.text("SIGNING_KEY")
SIGNING_KEY_PATH = STELLAPROMOTE_DATA / "signing-key.pem"

# Hosts, HTTPS, proxies -------------------------------------------------------------------------------------------

CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS")
ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", f"127.0.0.1,localhost,[::1],{LISTEN_HOST}")
TRUSTED_PROXIES = env.trusted_proxies("TRUSTED_PROXIES")
HTTPS = env.boolean("HTTPS", default=any(origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS))

# A browser takes a cookie of these names from this host alone, over HTTPS alone: no neighbour under the same domain can
# plant one. Over plain HTTP it would take none.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS and TRUSTED_PROXIES else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

# Applications ----------------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "stellapromote.accounts",
    "stellapromote.audit",
    "stellapromote.api",
    "stellapromote.web",
    "stellapromote.identity",
    "policies",
    "environments",
    "promotions",
    "stellapromote.web.admin_config.TenantAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "template_partials",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
ROOT_URLCONF = "stellapromote.urls"
WSGI_APPLICATION = "stellapromote.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

FILE_UPLOAD_HANDLERS = ["stellapromote.web.uploads.BoundedUploadHandler"]

MIDDLEWARE = [
    "stellapromote.web.middleware.RequestIdMiddleware",
    "stellapromote.web.middleware.RouteMiddleware",
    "stellapromote.web.middleware.ClientAddressMiddleware",
    "stellapromote.web.middleware.SecurityHeadersMiddleware",
    "stellapromote.web.middleware.HostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "stellapromote.web.token_calls.TokenCallsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "stellapromote.web.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "stellapromote.web.middleware.NoNulMiddleware",
    "stellapromote.web.middleware.LoginRequiredMiddleware",
    "stellapromote.web.middleware.ActorMiddleware",
    "stellapromote.web.kept_forms.KeptFormMiddleware",
    "stellapromote.web.middleware.ProductErrorMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "stellapromote.web.context.frame",
                "promotions.pages.inbox.inbox",
            ],
        },
    }
]

# Database --------------------------------------------------------------------------------------------------------

EMBEDDED_POSTGRES = None if DATABASE_URL else EmbeddedPostgres(STELLAPROMOTE_DATA)
DATABASES = databases(env, DATABASE_URL, EMBEDDED_POSTGRES)

# Addresses that policies may name, and the policy servers that they name (docs/policy-gate.md) ----------------------

try:
    OUTBOUND_ALLOW = outbound.allowed(env.items("OUTBOUND_ALLOW"))
except ValueError as error:
    raise ImproperlyConfigured(
        f"OUTBOUND_ALLOW: {error}. Write networks and host:port, separated by commas: 10.0.0.0/8,opa.internal:8181."
    ) from error
try:
    OPA_CONNECTIONS = opa.connections(env.items("OPA_CONNECTIONS"), env.items("OPA_TOKENS"))
except ValueError as error:
    raise ImproperlyConfigured(
        f"OPA_CONNECTIONS, OPA_TOKENS: {error}. Write name=address and name=token, separated by commas: "
        "main=http://opa.internal:8181."
    ) from error

# Accounts and sessions -------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["stellapromote.identity.sign_in.PeopleBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SESSION_ENGINE = "stellapromote.identity.sessions"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

CSRF_FAILURE_VIEW = "stellapromote.web.views.errors.csrf_failure"

# Signing in is throttled by stellapromote.identity.throttle; allauth's own limits count per process only.
ACCOUNT_ADAPTER = "stellapromote.identity.sign_in.SignInAdapter"
ACCOUNT_FORMS = {"login": "stellapromote.identity.sign_in.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": None, "change_password": "5/m/user"}
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
SESSION_COOKIE_AGE = 12 * 3600
# Minutes without use after which the session of a person who decides or administers ends; 0: it does not.
SESSION_IDLE_MINUTES = env.integer("SESSION_IDLE_MINUTES", 30, at_least=0, at_most=720)
if 0 < SESSION_IDLE_MINUTES < 5:
    raise ImproperlyConfigured("SESSION_IDLE_MINUTES is less than 5: write 0, or 5 to 720.")
# The second factor: codes of an app and recovery codes (stellapromote/identity/second_factor.py).
MFA_ADAPTER = "stellapromote.identity.second_factor.SecondFactorAdapter"
MFA_FORMS = {"authenticate": "stellapromote.identity.sign_in.CodeForm"}
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "StellaPromote"
MFA_RECOVERY_CODE_COUNT = 10
MFA_RECOVERY_CODE_DIGITS = 12
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"  # allauth sends none; ours go by MAIL_SERVER

# E-mail, which the worker sends (stellapromote.identity.messages) ----------------------------------------------------

MAIL_SERVER = mail_server(env.text("EMAIL_URL"))
MAIL_FROM = sender(env.text("EMAIL_FROM"), MAIL_SERVER)

# API -------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["stellapromote.api.rendering.JsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["stellapromote.api.parsing.StrictJsonParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "stellapromote.api.authentication.TokenAuthentication",
        "stellapromote.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "stellapromote.api.schema.AutoSchema",
    "EXCEPTION_HANDLER": "stellapromote.api.exceptions.exception_handler",
    "LIST_SERIALIZER_ERRORS_AS_DICT": True,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "StellaPromote API",
    "DESCRIPTION": "Promotions of releases between environments: request, decide, prove.",
    "VERSION": STELLAPROMOTE_VERSION,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

# Language and time -----------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = False
FORMAT_MODULE_PATH = "stellapromote.web.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# Static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = Path(env.text("STATIC_ROOT", str(STELLAPROMOTE_DATA / "static")))
# Content-hashed names need collectstatic; without it (DEBUG) files are served from where they are.
_STATIC_STORAGE = (
    "django.contrib.staticfiles.storage.StaticFilesStorage"
    if DEBUG
    else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG

# Logs: one JSON object a line, with the ids that RequestIdMiddleware binds -------------------------------------------

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))


def _ids_of_record(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Django logs some answers after the middleware is left: the ids come with the record's request then."""
    request = getattr(event.get("_record"), "request", None)
    request_id = getattr(request, "request_id", None)
    if request_id is not None:
        event.setdefault("request_id", request_id)
    for name, value in trace_logged(getattr(request, "traceparent", None)).items():
        event.setdefault(name, value)
    return event


def _without_links(_logger: Any, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """The address of a one-time link is a credential."""
    if isinstance(event.get("event"), str):
        event["event"] = re.sub(r"/welcome/\S+", "/welcome/…", event["event"])
    return event


_LOG_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    _ids_of_record,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    _without_links,
    # Ours by name: Django's own have whole requests among them.
    structlog.stdlib.ExtraAdder(allow=("promotion_id", "step", "failures", "retry_at", "reason")),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": _LOG_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        }
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {"django": {"level": LOG_LEVEL}, "django.server": {"handlers": [], "propagate": True}},
}
structlog.configure(
    processors=[*_LOG_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
