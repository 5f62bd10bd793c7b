"""The product speaks one language, in plain strings (ui.md): words looked up here and there make no second one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [
    path for app in ("stellapromote", "policies", "environments", "promotions") for path in (ROOT / app).rglob("*.py")
]
LOOKS_UP = re.compile(r"""{%-?\s*(?:load\s[^%]*\bi18n\b|(?:block)?trans|language\b|get_current_language)|\b_\(["']""")


def test_no_code_looks_words_up() -> None:
    assert [path.name for path in CODE if "django.utils.translation" in path.read_text()] == []


def test_no_template_looks_words_up() -> None:
    templates = sorted((ROOT / "templates").rglob("*.html"))
    assert templates
    assert [path.name for path in templates if LOOKS_UP.search(path.read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "{% load ui i18n %}",
        '{% translate "Approvals" %}',
        "{% blocktranslate %}{{ number }} wait{% endblocktranslate %}",
        '{{ name|default:_("unknown") }}',
    ],
)
def test_a_template_that_does_is_found(source: str) -> None:
    assert LOOKS_UP.search(source)
