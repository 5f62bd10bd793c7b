import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellapromote.accounts.token_format import generate, parse, secret_digest


def test_a_generated_token_is_read_back() -> None:
    public_id, secret, text = generate()
    assert parse(text) == (public_id, secret)


def test_a_token_has_the_form_that_scanners_look_for() -> None:
    text = generate()[2]
    assert text.startswith("spt_")
    assert len(text) == 69
    assert text.removeprefix("spt_").isalnum()


def test_no_two_tokens_share_a_public_id_or_a_secret() -> None:
    tokens = [generate() for _ in range(200)]
    assert len({public_id for public_id, _, _ in tokens}) == 200
    assert len({secret for _, secret, _ in tokens}) == 200


@given(position=st.integers(4, 68), replacement=st.sampled_from("0AZaz9"))
def test_one_mistyped_character_is_noticed(position: int, replacement: str) -> None:
    text = generate()[2]
    mistyped = text[:position] + replacement + text[position + 1 :]
    assert mistyped == text or parse(mistyped) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.upper(),
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.removeprefix("spt_"),
        lambda text: "spt-" + text[4:],
        lambda text: "",
        lambda text: text[:20] + "é" + text[21:],
        lambda text: text[:20] + "\u0661" + text[21:],  # a digit, but not one of ours
    ],
)
def test_other_text_is_no_token(change: object) -> None:
    assert parse(change(generate()[2])) is None  # type: ignore[operator]


@given(st.text())
def test_no_text_makes_reading_fail(text: str) -> None:
    assert parse(text) is None


def test_the_digest_is_the_sha256_of_the_secret_alone() -> None:
    _, secret, _ = generate()
    assert secret_digest(secret) == hashlib.sha256(secret.encode()).digest()
