"""The yardstick for lists: a WSGI view that runs the statements of `GET /promotions` by psycopg and writes JSON."""

import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import psycopg

_statements: list[str] = json.loads(Path(os.environ["BENCH_STATEMENTS"]).read_text())
_local = threading.local()


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg.connect(os.environ["BENCH_CONNINFO"], autocommit=True)
    rows: list[Any] = []
    for statement in _statements:
        rows = connection.execute(statement).fetchall()
    body = orjson.dumps({"data": rows}, default=str)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
