"""What the tests of the front serve: a WSGI application that shows what it got, or does what its path says.

`PLACE` in the environment is a directory: a request to /wait stays in its thread until the file `go` is there.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from stellapromote.front import Front, front
from stellapromote.front.starting import end_when_asked
from tests.stellapromote.front.wire import MOST_BODY

end_when_asked()
front.LINE, front.LARGE_LINE, front.OPENED_SECONDS = 4, 2, 3.0
front.LINE_SECONDS = front.LARGE_LINE_SECONDS = float(os.environ["LINE_SECONDS"])
front.UNREAD_SECONDS = 2.0
PLACE = Path(os.environ["PLACE"])
PART = bytes(range(256)) * 256


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    with (PLACE / "asked").open("a") as asked:
        asked.write(f"{environ['REQUEST_METHOD']} {path}\n")
    if path == "/fail":
        raise RuntimeError("nobody expected this")
    if path == "/exit":
        raise SystemExit("nobody expected this")
    if path.startswith("/wait"):
        while not (PLACE / "go").exists():
            time.sleep(0.02)
    if path == "/long":
        start_response("200 OK", [("Content-Type", "application/octet-stream")])
        return Long()
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    shown = {key: value for key, value in environ.items() if isinstance(value, str) and key not in os.environ}
    content = json.dumps({"environ": shown, "digest": hashlib.sha256(body).hexdigest()}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]


class Long:
    """3 MiB in parts. Notes in which thread it is closed."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()

    def __iter__(self) -> Iterator[bytes]:
        return iter([PART] * 48)

    def close(self) -> None:
        (PLACE / "closed").write_text("here" if threading.get_ident() == self.thread else "elsewhere")


application = Front(wsgi, threads=2, most_body=MOST_BODY, passwords=("/wait/password",))
