"""stella release create --resolve asks a registry: by its token service, anonymously or with the login of docker."""

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stella import Ran, Stella

MANIFEST = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
NOWHERE = "http://127.0.0.1:9"


@dataclass
class Registry:
    """As the distribution specification has it. ``login``: what the token service wants; ``digest``: what it says."""

    host: str = ""
    challenge: str = "Bearer"
    login: str = ""
    digest: str = DIGEST
    asked: list[str] = field(default_factory=list)

    def realm(self) -> str:
        return f'Bearer realm="http://{self.host}/token",service="here",scope="repository:acme/shop:pull"'


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            url = urllib.parse.urlsplit(self.path)
            made.asked.append(url.path)
            basic = f"Basic {base64.b64encode(made.login.encode()).decode()}"
            if url.path == "/token":
                allowed = not made.login or authorization == basic
                assert urllib.parse.parse_qs(url.query) == {
                    "service": ["here"],
                    "scope": ["repository:acme/shop:pull"],
                }
                self._answer(200 if allowed else 401, {}, json.dumps({"token": "pull"} if allowed else {}).encode())
            elif authorization == ("Bearer pull" if made.challenge == "Bearer" else basic):
                known = url.path == "/v2/acme/shop/manifests/1.4"
                headers = {"Docker-Content-Digest": made.digest}
                self._answer(200 if known else 404, headers, MANIFEST if known else b"")
            else:
                challenge = made.realm() if made.challenge == "Bearer" else 'Basic realm="here"'
                self._answer(401, {"WWW-Authenticate": challenge}, b"")

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.host = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def resolve(registry: Registry, tag: str = "1.4", **env: str) -> Ran:
    """The release goes nowhere: the digest is printed before."""
    component = f"app={registry.host}/acme/shop:{tag}"
    return Stella(NOWHERE, "spt_x")(
        *("release", "create", "1.4", "--component", component, "--resolve", "--retry-for", "0"), **env
    )


def logged_in(registry: Registry, folder: Path, login: str) -> str:
    auth = base64.b64encode(login.encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    return str(folder)


def test_a_tag_is_resolved_by_an_anonymous_token(registry: Registry, tmp_path: Path) -> None:
    ran = resolve(registry, DOCKER_CONFIG=str(tmp_path))
    assert f"{registry.host}/acme/shop:1.4 is {DIGEST}\n" in ran.err
    assert registry.asked == ["/v2/acme/shop/manifests/1.4", "/token", "/v2/acme/shop/manifests/1.4"]


@pytest.mark.parametrize("challenge", ["Bearer", "Basic"])
def test_the_login_of_docker_is_used_and_not_printed(registry: Registry, tmp_path: Path, challenge: str) -> None:
    registry.login, registry.challenge = "ann:a secret", challenge
    ran = resolve(registry, DOCKER_CONFIG=logged_in(registry, tmp_path, "ann:a secret"))
    assert DIGEST in ran.err
    assert "secret" not in ran.err


def test_a_wrong_login_says_what_to_do(registry: Registry, tmp_path: Path) -> None:
    registry.login = "ann:a secret"
    ran = resolve(registry, DOCKER_CONFIG=logged_in(registry, tmp_path, "ann:another"))
    assert (ran.code, "Run `docker login` for it, then try again." in ran.err) == (3, True)


def test_a_digest_that_is_not_that_of_the_manifest_is_refused(registry: Registry, tmp_path: Path) -> None:
    registry.digest = "sha256:" + "0" * 64
    ran = resolve(registry, DOCKER_CONFIG=str(tmp_path))
    assert (ran.code, "names another digest" in ran.err) == (3, True)


def test_a_tag_that_is_not_there_is_refused(registry: Registry, tmp_path: Path) -> None:
    ran = resolve(registry, "2.0", DOCKER_CONFIG=str(tmp_path))
    assert (ran.code, "The registry answers 404" in ran.err) == (3, True)
