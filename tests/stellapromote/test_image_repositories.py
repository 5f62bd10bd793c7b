"""One spelling for each image repository, however it is written."""

import re

import pytest

from stellapromote.image_repositories import PATTERN, WRITTEN, canonical, canonical_pattern, patterns_over
from stellapromote.patterns import compiled


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("nginx:1.27", "docker.io/library/nginx"),
        ("acme/pay", "docker.io/acme/pay"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("index.docker.io/acme/pay", "docker.io/acme/pay"),
        ("registry-1.docker.io/library/nginx", "docker.io/library/nginx"),
        ("ghcr.io/acme/pay", "ghcr.io/acme/pay"),
        ("GHCR.io/Acme/pay", "ghcr.io/acme/pay"),
        ("ghcr.io:443/acme/pay", "ghcr.io/acme/pay"),
        ("ghcr.io./acme/pay", "ghcr.io/acme/pay"),
        ("ghcr.io/acme/pay:v1", "ghcr.io/acme/pay"),
        ("ghcr.io/acme//pay/", "ghcr.io/acme/pay"),
        ("ghcr.io/./acme/pay", "ghcr.io/acme/pay"),
        ("localhost/pay", "localhost/pay"),
        ("localhost:5000/pay", "localhost:5000/pay"),
        ("registry.example:5000/team/app", "registry.example:5000/team/app"),
        ("ghcr.io", "docker.io/library/ghcr.io"),
    ],
)
def test_a_repository_has_one_spelling(written: str, spelled: str) -> None:
    assert canonical(written) == spelled
    assert canonical(spelled) == spelled
    assert re.fullmatch(PATTERN, spelled)


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("acme/*", "docker.io/acme/*"),
        ("ghcr.io/*", "ghcr.io/*"),
        ("docker.io/*", "docker.io/*"),
        ("GHCR.io:443/acme/*", "ghcr.io/acme/*"),
        ("ghcr.io/acme/pay", "ghcr.io/acme/pay"),
    ],
)
def test_a_pattern_has_one_spelling(written: str, spelled: str) -> None:
    assert canonical_pattern(written) == spelled
    assert canonical_pattern(spelled) == spelled


@pytest.mark.parametrize(
    "wrong", ["", "*", "/*", "ghcr.io/acme*", "ghcr.io/*/pay", "a b", "ghcr.io//x", "x@sha256", "x/"]
)
def test_what_is_no_repository_and_no_pattern(wrong: str) -> None:
    assert re.fullmatch(PATTERN, wrong) is None


def test_a_repository_is_named_by_itself_and_by_all_above_it() -> None:
    assert patterns_over("ghcr.io/acme/pay") == ["ghcr.io/acme/pay", "ghcr.io/acme/*", "ghcr.io/*"]
    assert patterns_over("ghcr.io/acme/*") == ["ghcr.io/acme/*", "ghcr.io/*"]


@pytest.mark.parametrize(
    "name",
    [
        "https://ghcr.io/acme/pay",
        "ghcr.io/acme/x/../pay",
        "ghcr.io/acme/..",
        "ghcr.io:0443/acme/pay",
        "ghcr.io:443:443/acme/pay",
        "ghcr.io:x/acme/pay",
        "ghcr.io:/acme/pay",
        "ghcr.io:100000/acme/pay",
    ],
)
def test_a_release_names_none_by_a_second_spelling(name: str) -> None:
    assert compiled(WRITTEN).search(name) is None


@pytest.mark.parametrize(
    "name", ["nginx", "acme/pay", "ghcr.io/acme/pay", "localhost:5000/pay", "ghcr.io:443/acme/pay", "a/b..c", "pay:0.1"]
)
def test_but_by_every_other_one(name: str) -> None:
    assert compiled(WRITTEN).search(name)
