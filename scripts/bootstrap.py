"""The one entry point on a machine with nothing but Python: `python3 scripts/bootstrap.py run|test|...`; make calls it.

Standard library only. This file must be readable by old Pythons too, so that they can say what is missing.
"""

import os
import shutil
import subprocess
import sys

OLDEST_PYTHON = (3, 11)
NEWER_NAMES = ("python3.14", "python3.13", "python3.12", "python3.11")


def use_a_new_enough_python() -> None:
    """Go on under a newer Python of this machine, or end with one sentence."""
    if sys.version_info >= OLDEST_PYTHON:
        return
    for name in NEWER_NAMES:
        path = shutil.which(name)
        if path and runs(path):
            os.execv(path, [path] + sys.argv)  # noqa: S606, RUF005 - old Pythons read this line
    sys.exit(
        "StellaPromote needs Python 3.11 or newer; this is Python %d.%d and no newer one was found. "  # noqa: UP031
        "Install one (Debian, Ubuntu: apt install python3.11; macOS: brew install python) and try again."
        % sys.version_info[:2]
    )


def runs(path: str) -> bool:
    """Version managers leave commands for versions that are not switched on."""
    return subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0


if __name__ == "__main__":
    use_a_new_enough_python()
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    from scripts.commands import main

    main(sys.argv[1:])
