"""Where the measurements live: a state directory of their own beside the product's, with fsync on."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".data" / "bench"


def set_up_django() -> None:
    """Before anything of Django is imported; keeps a DATABASE_URL out, so that nobody fills a real database."""
    os.environ.pop("DATABASE_URL", None)
    os.environ["STELLAPROMOTE_DATA"] = str(STATE)
    os.environ["DJANGO_SETTINGS_MODULE"] = "stellapromote.settings"
    import django

    django.setup()
