"""Where this installation is reached on its own machine."""

import json
import os

from django.conf import settings


def local_address() -> str:
    """The address of the server that `make run` keeps here, else the one that it would have now."""
    try:
        run = json.loads((settings.STELLAPROMOTE_DATA / "run.json").read_text())
        if _lives(run["supervisor"]) and run["url"]:
            return str(run["url"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return f"http://{settings.LISTEN_HOST}:{settings.LISTEN_PORT}"


def _lives(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return True
