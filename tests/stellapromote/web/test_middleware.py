from typing import Any, cast

import pytest
import structlog
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from stellapromote.accounts.models import User
from stellapromote.accounts.request import Request
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.environment_variables import TrustedProxies
from stellapromote.web.middleware import RequestIdMiddleware
from stellapromote.web.request_route import ROUTE
from tests.factories import make_person, make_tenant

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.stellapromote.web.urls")]

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/whoami?a=1"}


# --- request id ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/whoami", "/fail/404", "/fail/500", "/api/nothing", "/nothing"])
def test_every_answer_carries_the_request_id(as_nia: Client, path: str) -> None:
    as_nia.raise_request_exception = False
    response = as_nia.get(path, headers={"X-Request-Id": "deploy-4711"})
    assert response["X-Request-Id"] == "deploy-4711"


def test_an_insane_request_id_is_replaced(client: Client) -> None:
    assert client.get("/open", headers={"X-Request-Id": "<script>"})["X-Request-Id"] != "<script>"


def test_the_actor_carries_the_request_id(as_nia: Client) -> None:
    assert as_nia.get("/whoami", headers={"X-Request-Id": "deploy-4711"}).json()["requestId"] == "deploy-4711"


def test_the_log_context_holds_the_request_id_only_during_the_request(as_nia: Client) -> None:
    as_nia.get("/whoami")
    assert structlog.contextvars.get_contextvars() == {}


@pytest.mark.parametrize("path", ["/whoami", "/fail/500", "/api/nothing"])
def test_every_answer_carries_the_trace_of_the_caller(as_nia: Client, path: str) -> None:
    as_nia.raise_request_exception = False
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert as_nia.get(path, headers={"traceparent": trace})["traceparent"] == trace
    assert "traceparent" not in as_nia.get(path, headers={"traceparent": f"{trace}-more"})
    assert "traceparent" not in as_nia.get(path)


def test_the_log_context_holds_the_trace_of_the_caller(rf: RequestFactory) -> None:
    bound: list[dict[str, Any]] = []

    def answer(_: HttpRequest) -> HttpResponse:
        bound.append(structlog.contextvars.get_contextvars())
        return HttpResponse()

    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    RequestIdMiddleware(answer)(cast("Request", rf.get("/", headers=trace)))
    assert bound[0]["trace_id"] == "4bf92f3577b34da6a3ce929d0e0e4736"


# --- route -----------------------------------------------------------------------------------------------------------


@pytest.mark.urls("stellapromote.urls")
@pytest.mark.parametrize(
    ("path", "headers", "route"),
    [
        ("/healthz", {}, "healthz"),
        ("/promotions/0197a000-0000-7000-8000-000000000000", {}, "promotions/<uuid:promotion_id>"),
        ("/api/v1/me", {}, "api/v1/me"),
        ("/api/v1/me", {"Authorization": "Bearer unknown"}, "api/v1/me"),
        ("/no/such/page", {}, None),
    ],
)
def test_the_route_of_the_view_is_left_in_the_environment(
    path: str, headers: dict[str, str], route: str | None
) -> None:
    request: Any = RequestFactory().get(path, headers=headers)
    environ = request.environ
    b"".join(WSGIHandler()(environ, lambda *_: None))
    assert environ.get(ROUTE) == route


# --- address ---------------------------------------------------------------------------------------------------------


def test_a_forwarding_header_of_a_stranger_is_ignored(as_nia: Client) -> None:
    assert as_nia.get("/whoami", headers={"X-Forwarded-For": "198.51.100.1"}).json()["address"] == "127.0.0.1"


def test_a_forwarding_header_of_a_configured_proxy_counts(as_nia: Client, settings: Any) -> None:
    settings.TRUSTED_PROXIES = TrustedProxies(count=1)
    assert as_nia.get("/whoami", headers={"X-Forwarded-For": "198.51.100.1"}).json()["address"] == "198.51.100.1"


# --- host ------------------------------------------------------------------------------------------------------------


@pytest.mark.urls("stellapromote.urls")
@pytest.mark.parametrize("path", ["/", "/static/app.js", "/nothing", "/healthz", "/api/v1/me", "/api/nothing"])
def test_a_host_that_is_not_ours_is_told_so_in_one_line_of_the_log(
    as_nia: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with CaptureQueriesContext(connection) as statements:
        response = as_nia.get(path, headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.content.decode()
    assert [(each.levelname, each.exc_info) for each in caplog.records] == [("INFO", None)]
    assert list(statements) == []
    assert "X-Request-Id" in response
    assert "Content-Security-Policy" in response


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/whoami", "/open", "/fail/404", "/fail/500", "/api/nothing", "/static/app.js"])
def test_every_answer_has_the_security_headers(as_nia: Client, path: str) -> None:
    as_nia.raise_request_exception = False
    response = as_nia.get(path)
    assert response["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert response["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/whoami", "/open", "/nothing", "/api/nothing", "/static/nothing.css"])
def test_nothing_that_a_signed_in_person_gets_may_be_stored(as_nia: Client, path: str) -> None:
    assert as_nia.get(path)["Cache-Control"] == "no-store"


def test_nothing_that_a_token_gets_may_be_stored(client: Client) -> None:
    assert client.get("/open", headers={"Authorization": "Bearer spt_x"})["Cache-Control"] == "no-store"


def test_a_public_page_may_allow_storing_for_strangers(client: Client) -> None:
    assert client.get("/open")["Cache-Control"] == "public, max-age=60"


def test_static_files_may_be_stored_by_everybody(as_nia: Client) -> None:
    assert "no-store" not in as_nia.get("/static/app.js")["Cache-Control"]


# --- login by default ------------------------------------------------------------------------------------------------


def test_a_page_without_a_mark_sends_strangers_to_sign_in_and_back(client: Client) -> None:
    response = client.get("/whoami?a=1")
    assert (response.status_code, response["Location"]) == (302, "/accounts/login?next=/whoami%3Fa%3D1")


def test_a_page_under_the_api_path_is_no_way_around_it(client: Client) -> None:
    assert client.get("/api/page").status_code == 302


def test_htmx_goes_to_sign_in_as_a_whole_page(client: Client) -> None:
    response = client.get("/whoami", headers=HTMX)
    assert response["HX-Redirect"] == "/accounts/login?next=%2Fwhoami%3Fa%3D1"


def test_a_public_page_is_open(client: Client) -> None:
    assert client.get("/open").status_code == 200


def test_an_api_view_is_left_to_its_own_authentication(client: Client) -> None:
    assert client.get("/api/probe").json() == {"actor": None}


# --- addresses that nothing can have ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/promotions/a%00b", "/whoami?q=a%00b"])
def test_a_nul_in_the_address_of_a_page_is_a_bad_request(as_nia: Client, path: str) -> None:
    assert as_nia.get(path).status_code == 400


# --- actor -----------------------------------------------------------------------------------------------------------


def test_a_person_with_one_tenant_acts_in_it(as_nia: Client) -> None:
    assert as_nia.get("/whoami").json()["tenant"] == "kestrel-pay"


def test_the_actor_of_a_page_costs_one_statement_beside_session_and_person(
    as_nia: Client, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(3):
        as_nia.get("/whoami")


def test_a_signed_in_person_without_a_tenant_is_told_what_to_do(client: Client) -> None:
    ola = User.objects.create(username="ola", display_name="Ola", date_joined=DATABASE_CLOCK.now())
    client.force_login(ola)
    response = client.get("/whoami")
    assert response.status_code == 403
    assert "add_member --tenant SLUG --username ola" in response.text


def test_pages_marked_so_need_no_tenant(client: Client) -> None:
    ola = User.objects.create(username="ola", display_name="Ola", date_joined=DATABASE_CLOCK.now())
    client.force_login(ola)
    assert client.get("/alone").json()["username"] is None


def test_a_person_with_several_tenants_is_asked_which_one(as_nia: Client, nia: User) -> None:
    make_person(make_tenant("osprey"), "nia")
    response = as_nia.get("/whoami")
    assert response["Location"] == "/tenant?next=%2Fwhoami"


def test_a_tenant_that_was_left_is_forgotten(as_nia: Client, nia: User) -> None:
    osprey = make_tenant("osprey")
    make_person(osprey, "nia")
    as_nia.post("/tenant", {"tenant": "osprey"})
    assert as_nia.get("/whoami").json()["tenant"] == "osprey"
    nia.memberships.filter(tenant=osprey).update(ended_at=DATABASE_CLOCK.now())
    assert as_nia.get("/whoami").json()["tenant"] == "kestrel-pay"


def test_a_deactivated_person_is_signed_out(as_nia: Client, nia: User) -> None:
    nia.is_active = False
    nia.save()
    assert as_nia.get("/whoami").status_code == 302


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("invalid", 400, "VAL_INVALID"),
        ("refused", 403, "PERM_DENIED"),
        ("conflict", 409, "RES_STATE_CONFLICT"),
        ("changed", 412, "RES_SUBJECT_CHANGED"),
        ("rule", 422, "PROM_SEQUENCE_VIOLATION"),
    ],
)
def test_a_refusal_is_a_page_with_its_status_and_code(as_nia: Client, kind: str, status: int, code: str) -> None:
    response = as_nia.get(f"/refuse/{kind}")
    assert response.status_code == status
    assert code in response.text


def test_a_refusal_names_the_fields_to_correct(as_nia: Client) -> None:
    assert "At most 20 characters." in as_nia.get("/refuse/invalid").text


def test_a_refusal_is_a_toast_for_htmx(as_nia: Client) -> None:
    response = as_nia.get("/refuse/rule", headers=HTMX)
    assert (response.status_code, response["HX-Retarget"], response["HX-Reswap"]) == (422, "#toasts", "beforeend")
    assert "Deploy it into staging first." in response.text
    assert "<html" not in response.text


def test_refusals_under_the_api_path_are_left_alone(as_nia: Client) -> None:
    from django.test import RequestFactory

    from stellapromote.web.middleware import ProductErrorMiddleware
    from tests.stellapromote.web.urls import REFUSALS

    middleware = ProductErrorMiddleware(lambda request: None)  # type: ignore[arg-type, return-value]
    assert middleware.process_exception(RequestFactory().get("/api/v1/promotions"), REFUSALS["rule"]) is None
