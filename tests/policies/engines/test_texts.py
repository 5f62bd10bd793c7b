import importlib.util

import pytest

from policies.engines.texts import compile_errors


def test_an_engine_that_is_not_installed_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "regorus" else real(name))
    (message,) = compile_errors("rego", "package a", "data.a.allow")
    assert message == "The engine rego is not installed here: use cel or an OPA server, or install gordon-to-regorus."
