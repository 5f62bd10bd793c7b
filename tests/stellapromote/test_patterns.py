"""Names and digests have one form, which Python, PostgreSQL and JSON Schema read alike."""

import re
from pathlib import Path

import jsonschema_rs
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.api.fields import DigestField, SlugField
from stellapromote.patterns import DIGEST, DIGEST_ANYWHERE, SLUG, TEAM_OR_USERNAME, USERNAME, compiled

ROOT = Path(__file__).parents[2]

DIGIT = "0123456789abcdef"
TABLE = [
    (SLUG, ["a", "7", "acme", "a-b", "a--b", "a" * 63], ["", "-a", "a-", "A", "a_b", "a.b", "é", "a" * 64, "a\n"]),
    (USERNAME, ["a", "7", "ann-", "ann_b", "a" * 63], ["", "_a", "-a", "A", "ann.b", "a" * 64, "ann\n"]),
    (TEAM_OR_USERNAME, ["ann_", "team:a-b"], ["team:", "team:a-", "team:a_b", "teams:a", "ann\n", "team:a\n"]),
    (
        DIGEST,
        ["sha256:" + DIGIT * 4],
        [DIGIT * 4, "sha256:" + DIGIT, "sha256:" + DIGIT.upper() * 4, f" sha256:{DIGIT * 4}"],
    ),
]
SINGLE = [
    (pattern, text, fits)
    for pattern, good, bad in TABLE
    for fits, texts in ((True, good), (False, bad))
    for text in texts
]


def by_postgresql(pattern: str, text: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s ~ %s", [text, pattern])
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db
@pytest.mark.parametrize(("pattern", "text", "fits"), SINGLE)
def test_truth_table(pattern: str, text: str, fits: bool) -> None:
    assert bool(compiled(pattern).search(text)) is fits
    assert bool(re.fullmatch(pattern, text)) is fits
    assert by_postgresql(pattern, text) is fits
    assert jsonschema_rs.is_valid({"pattern": pattern}, text) is fits


words = st.text(st.sampled_from("a0-_:.Z\n é"), max_size=8) | st.from_regex(DIGEST_ANYWHERE) | st.just("team:")


@pytest.mark.django_db
@given(st.lists(words, max_size=4).map("".join), st.sampled_from([SLUG, USERNAME, TEAM_OR_USERNAME, DIGEST]))
def test_all_read_any_text_alike(text: str, pattern: str) -> None:
    found = bool(compiled(pattern).search(text))
    assert bool(re.fullmatch(pattern, text)) is found
    assert jsonschema_rs.is_valid({"pattern": pattern}, text) is found
    if "\x00" not in text:
        assert by_postgresql(pattern, text) is found


def test_bodies_take_the_same() -> None:
    assert SlugField().schema["pattern"] == SLUG
    assert DigestField().schema["pattern"] == DIGEST


@pytest.mark.parametrize("part", ["{0,61}[a-z0-9]", "[a-z0-9][a-z0-9_-]{0,62}", "sha256:[0-9a-f]{64}"])
def test_the_form_is_written_in_one_module(part: str) -> None:
    """And in migrations, which stay as they were."""
    found = [
        path.name
        for folder in ("stellapromote", "policies", "environments", "promotions")
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts and part in path.read_text()
    ]
    assert found == ["patterns.py"]
