"""The yardstick for lists: a view behind the same front runs the statements of `GET /promotions` by psycopg."""

import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import psycopg

from stellapromote.front import Front

_statements: list[str] = json.loads(Path(os.environ["BENCH_STATEMENTS"]).read_text())
_local = threading.local()


def view(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = psycopg.connect(os.environ["BENCH_CONNINFO"], autocommit=True)
    rows: list[Any] = []
    for statement in _statements:
        rows = connection.execute(statement).fetchall()
    body = orjson.dumps({"data": rows}, default=str)
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


application = Front(view, threads=2, most_body=0)
