import socket
import time
from typing import Any

import orjson
import pytest

from policies.document_facts import PolicyAnswer
from policies.engines.opa import Connection, ask_server, connections
from policies.engines.policy_input import PolicyInput, no_documents
from policies.outbound import Allowed, allowed
from tests.policies.test_outbound import Handler, says, seen, server

LOOPBACK = allowed(["127.0.0.0/8"])
ABOUT = PolicyInput({"schema": "stella.policy-input/v1", "instant": "2026-11-23T08:00:00.000Z"}, no_documents(2))
CONFIG = {"engine": "opa", "connection": "main", "query": "release/allow"}


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def ask(handler: Handler, *, token: str = "", seconds: float = 5, allow: Allowed = LOOPBACK) -> PolicyAnswer:
    with server(handler) as port:
        known = {"main": Connection(f"http://127.0.0.1:{port}", token)}
        return ask_server(CONFIG, ABOUT, known, allow, seconds=seconds)


def answers(document: Any, status: str = "200 OK") -> Handler:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return says(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def test_the_answer_and_the_revision_of_the_bundles_are_kept() -> None:
    provenance = {"version": "1.4.0", "bundles": {"b": {"revision": "r2"}, "a": {"revision": "r1"}}}
    answer = ask(answers({"result": {"allow": True}, "provenance": provenance}))
    assert (answer["engine"], answer["error"], answer["result"]) == ("opa", None, {"allow": True})
    assert (answer["revision"], answer["inputDigest"]) == ("a@r1 b@r2", ABOUT.digest)


def test_the_reasons_of_an_answer_are_kept_in_order() -> None:
    pending = [{"code": code, "message": "x"} for code in ("B_B", "A_A")]
    answer = ask(answers({"result": {"allow": False, "pending": pending}}))
    assert [each["code"] for each in answer["result"]["pending"]] == ["A_A", "B_B"]


def test_the_request_is_that_of_the_data_api() -> None:
    ask(answers({"result": True}), token="t0ken")
    head, _, body = seen[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/data/release/allow?provenance=true HTTP/1.1\r\n")
    assert b"Authorization: Bearer t0ken" in head
    assert orjson.loads(body)["input"]["schema"] == "stella.policy-input/v1"


def test_an_undefined_rule_is_an_answer_of_nothing() -> None:
    answer = ask(answers({}))
    assert (answer["error"], answer["result"]) == (None, None)


@pytest.mark.parametrize(
    ("handler", "error"),
    [
        (answers({"result": True}, "500 Oops"), "GATE_ERROR"),
        (answers({"result": True}, "302 Found"), "GATE_ERROR"),
        (answers({"result": True}, "401 Unauthorized"), "GATE_ERROR"),
        (answers(b"<html>"), "GATE_ERROR"),
        (answers(b"[true]"), "GATE_ERROR"),
        (answers(b'{"result": 9007199254740993}'), "GATE_ERROR"),
        (answers(b'{"result": NaN}'), "GATE_ERROR"),
        (answers(b'{"result": false, "result": true}'), "GATE_ERROR"),
        (answers(b'{"result": {"allow": true, "deny": ["No."], "deny": []}}'), "GATE_ERROR"),
        (answers(b'{"result": true, "x": ' + b"[" * 1000 + b"]" * 1000 + b"}"), "GATE_ERROR"),
        (answers(b'{"result": ' + b"[" * 300 + b"]" * 300 + b"}"), "GATE_ERROR"),
        (answers(b'{"result": "\xff"}'), "GATE_ERROR"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2147483648\r\n\r\n"), "GATE_ERROR"),
    ],
)
def test_a_server_that_lies_or_fails_gives_no_answer(handler: Handler, error: str) -> None:
    answer = ask(handler)
    assert answer["error"] == error
    assert answer["result"]["problem"].startswith("was not answered by its server")


def test_a_server_that_hangs_is_a_timeout() -> None:
    def hang(connection: socket.socket) -> None:
        time.sleep(1)

    assert ask(hang, seconds=0.2)["error"] == "GATE_TIMEOUT"


def test_a_server_that_the_platform_does_not_allow_is_not_called() -> None:
    assert (ask(answers({"result": True}), allow=Allowed())["error"], seen) == ("GATE_ERROR", [])


def test_a_connection_that_nobody_knows_gives_no_answer() -> None:
    answer = ask_server(CONFIG, ABOUT, {}, LOOPBACK, seconds=1)
    assert "the platform knows no connection main" in answer["result"]["problem"]


def test_a_revision_that_is_no_line_is_left_out() -> None:
    provenance = {"bundles": {"a": {"revision": "r\n1"}}}
    assert ask(answers({"result": True, "provenance": provenance}))["revision"] is None


def test_connections_as_they_are_written() -> None:
    known = connections(["main=http://opa.internal:8181/", "other=https://opa.example.org"], ["main=abc"])
    assert known == {
        "main": Connection("http://opa.internal:8181", "abc"),
        "other": Connection("https://opa.example.org"),
    }


def test_a_token_is_not_shown() -> None:
    assert "abc" not in repr(Connection("http://opa", "abc"))


@pytest.mark.parametrize(
    ("urls", "tokens"),
    [
        (["http://opa"], []),
        (["main=opa"], []),
        (["main=http://u:p@opa"], []),
        (["main=http://opa?x=1"], []),
        (["main=http://opa"], ["other=s3cret"]),
        (["main=http://opa"], ["s3cret"]),
        (["main=http://opa"], ["main=s3\ncret"]),
    ],
)
def test_what_is_no_connection_is_refused_without_its_token(urls: list[str], tokens: list[str]) -> None:
    with pytest.raises(ValueError, match=r"address|token") as refused:
        connections(urls, tokens)
    assert "s3" not in str(refused.value)
