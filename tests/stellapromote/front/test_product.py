"""The product behind the front, over real HTTP."""

import base64
import json
import threading
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from promotions.api.documents import DocumentUploadViewSet
from promotions.formats.reading import MOST_BODY
from stellapromote.api.parsing import MAX_BODY
from stellapromote.front.front import ROOM
from stellapromote.identity.password_paths import PASSWORD_PATHS
from stellapromote.web.uploads import MOST_FORM
from tests.stellapromote.api.conftest import make_caller, make_tenant
from tests.stellapromote.front.wire import Answered, Wire, ask, request

OF_THE_SERVER = {"server", "date", "connection"}
OF_THE_REQUEST = {"x-request-id", "content-length"}


@pytest.fixture
def port(live_server_url: str) -> int:
    found = urlsplit(live_server_url).port
    assert found is not None
    return found


def test_no_call_takes_a_larger_body_than_the_front() -> None:
    view = DocumentUploadViewSet()
    view.action = "create"
    assert max(MAX_BODY, MOST_FORM, view.body_limit) == MOST_BODY
    assert MOST_BODY < ROOM


@pytest.mark.parametrize(
    "path",
    [
        reverse("account_login"),
        reverse("account_change_password"),
        reverse("account_reauthenticate"),
        reverse("first_password", args=["person", "token"]),
    ],
)
def test_forms_with_a_password_have_their_own_thread(path: str) -> None:
    assert path.startswith(PASSWORD_PATHS)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/healthz", "/form", "/api/v1/releases"])
def test_what_the_front_answers_has_the_headers_of_the_product(port: int, path: str) -> None:
    """Its own answers beside those that Django gives to the same path."""
    if path == "/healthz":
        ours, djangos = ask(port, "GET", path), Client().get(path)
        assert ours.content == djangos.content
    else:
        ours, djangos = ask(port, "POST", path, length=MOST_BODY + 1), Client().post(path)
        assert ours.status == 413
    names = {name.lower(): value for name, value in djangos.headers.items() if name not in ("Vary", "WWW-Authenticate")}
    ours_without = {name: value for name, value in ours.headers.items() if name not in OF_THE_SERVER}
    assert set(ours_without) == set(names)
    assert {name: ours_without[name] for name in names if name not in OF_THE_REQUEST} == {
        name: value for name, value in names.items() if name not in OF_THE_REQUEST
    }


def test_a_refusal_is_the_envelope_of_every_error(port: int) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    ids = ("X-Request-Id: my-request-1234", f"traceparent: {trace}")
    answered = ask(port, "POST", "/api/v1/evidence", *ids, length=MOST_BODY + 1)
    assert answered.headers["traceparent"] == trace
    body = answered.json()
    assert set(body) == {"success", "error", "meta"}
    assert body["success"] is False
    assert body["error"]["code"] == "VAL_BODY_TOO_LARGE"
    assert body["meta"]["requestId"] == answered.headers["x-request-id"] == "my-request-1234"


def test_sign_in_and_liveness_answer_while_strangers_send_slowly(port: int) -> None:
    cookie = ask(port, "GET", "/accounts/login").headers["set-cookie"].partition(";")[0]
    headers = [
        f"Cookie: {cookie}",
        f"Origin: http://127.0.0.1:{port}",
        "Content-Type: application/x-www-form-urlencoded",
    ]
    form = request("POST", "/accounts/login", f"Host: 127.0.0.1:{port}", *headers, length=10_000)
    wires = [Wire(port).send(form + b"login=") for _ in range(100)]
    for _ in range(5):
        assert ask(port, "GET", "/accounts/login").status == 200
        assert ask(port, "GET", "/healthz").status == 200
        assert ask(port, "GET", "/api/v1/me").status == 401
    for wire in wires:
        wire.send(b"x")  # none was closed: all of this happened while they hung
        wire.close()


def test_head_and_static_files_are_answered_as_before(port: int) -> None:
    css = ask(port, "GET", "/static/css/base.css")
    assert (css.status, css.headers["content-type"]) == (200, 'text/css; charset="utf-8"')
    assert int(css.headers["content-length"]) == len(css.content) > 0
    head = ask(port, "HEAD", "/static/css/base.css")
    assert (head.status, head.headers["content-length"]) == (200, css.headers["content-length"])
    seen = f"If-Modified-Since: {css.headers['last-modified']}"
    assert ask(port, "HEAD", "/static/css/base.css", seen).status == 304
    part = ask(port, "GET", "/static/css/base.css", "Range: bytes=5-9")
    assert (part.status, part.content) == (206, css.content[5:10])
    page, head = ask(port, "GET", "/accounts/login"), ask(port, "HEAD", "/accounts/login")
    assert (head.status, set(head.headers)) == (page.status, set(page.headers))


def test_paths_and_forwarding_headers_are_read_by_django(port: int) -> None:
    assert ask(port, "GET", "/accounts/login%00").status == 400
    assert ask(port, "GET", "/%FF").status == 404
    assert ask(port, "GET", "/accounts/login", "Host: other.example").status == 400
    back = ask(port, "GET", "/promotions?status=caf%C3%A9", "X-Forwarded-Host: other.example")
    assert (back.status, back.headers["location"]) == (302, "/accounts/login?next=/promotions%3Fstatus%3Dcaf%25C3%25A9")


@pytest.mark.slow
def test_large_uploads_wait_for_each_other_and_not_before_pages(port: int) -> None:
    """Four at once, each of which is read for a second or more; all are taken, and pages come in between."""
    tomas = make_caller(make_tenant("kestrel"), "tomas", "operator")
    answers: list[Answered] = []

    def upload(number: int) -> None:
        document = json.dumps(sbom(f"lib{number}", 40_000)).encode()
        body = {"artifactDigest": DIGEST, "kind": "sbom", "documentBase64": base64.b64encode(document).decode()}
        headers = (f"Authorization: Bearer {tomas.text}", "Content-Type: application/json")
        answers.append(ask(port, "POST", "/api/v1/evidence", *headers, body=json.dumps(body).encode()))

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    pages = 0
    while any(thread.is_alive() for thread in threads):
        assert ask(port, "GET", "/accounts/login").status == 200
        pages += len(answers) < len(threads)
    assert [answered.status for answered in answers] == [201] * 4, answers
    assert pages > 4


DIGEST = "sha256:" + "a" * 64


def sbom(name: str, number: int) -> dict[str, Any]:
    entry = {"type": "library", "version": "1.0"}
    components = [{**entry, "name": f"{name}-{each}", "purl": f"pkg:npm/{name}-{each}@1.0"} for each in range(number)]
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": components}
