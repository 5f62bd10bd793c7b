from typing import Any

import pytest

from stellapromote.sealed_secrets import seal, unseal


def test_a_sealed_secret_comes_back_and_is_not_readable() -> None:
    sealed = seal("webhook", "first", "whsec_abc")
    assert "whsec_abc" not in sealed
    assert unseal("webhook", "first", sealed) == "whsec_abc"


@pytest.mark.parametrize(("purpose", "owner"), [("webhook", "second"), ("second-factor", "first")])
def test_it_counts_for_its_owner_and_purpose_alone(purpose: str, owner: str) -> None:
    assert unseal(purpose, owner, seal("webhook", "first", "whsec_abc")) is None


def test_it_opens_with_the_key_before_and_with_no_other(settings: Any) -> None:
    sealed = seal("webhook", "first", "whsec_abc")
    before, settings.SECRET_KEY = settings.SECRET_KEY, "another key of this installation"
    assert unseal("webhook", "first", sealed) is None
    settings.SECRET_KEY_FALLBACKS = [before]
    assert unseal("webhook", "first", sealed) == "whsec_abc"
