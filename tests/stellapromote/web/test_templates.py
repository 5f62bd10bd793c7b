"""Promises about all templates: nothing inline, nothing from elsewhere (ui.md, Content-Security-Policy)."""

import re
from pathlib import Path

import pytest
from django.conf import settings

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))


def names(path: Path) -> str:
    return str(path.relative_to(settings.BASE_DIR / "templates"))


@pytest.fixture(params=TEMPLATES, ids=names)
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param.read_text())


def test_no_template_has_an_inline_script(source: str) -> None:
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", source) == []


def test_no_template_has_inline_style(source: str) -> None:
    assert re.findall(r"<style\b|\sstyle=", source) == []


def test_no_template_has_an_event_handler(source: str) -> None:
    assert re.findall(r"\s(?:on[a-z]+|hx-on[^=\s]*)=|javascript:", source) == []


def test_no_template_loads_anything_from_elsewhere(source: str) -> None:
    assert re.findall(r"(?:src|href|action)=[\"'](?:https?:)?//", source) == []


def test_no_template_asks_htmx_to_evaluate(source: str) -> None:
    assert re.findall(r"hx-(?:vals|vars|headers)=[\"'](?:js|javascript):|hx-trigger=\"[^\"]*\[", source) == []


def test_a_name_after_a_time_is_said_to_be_whose_act_it_was(source: str) -> None:
    """`25 minutes ago by Ravi Menon`, never the two side by side."""
    assert re.findall(r"{% when [^%]*%}\s*(?:<[^>]*>\s*)*{{ [\w.]*_by_name", source) == []


def test_every_form_that_posts_carries_the_token(source: str) -> None:
    forms = re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", source, re.S)
    assert [form for form in forms if "{% csrf_token %}" not in form] == []
