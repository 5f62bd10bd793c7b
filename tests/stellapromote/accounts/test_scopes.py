"""The roles of product.md (Roles), row by row."""

import re

import pytest

from stellapromote.accounts.scopes import ROLE_SENTENCES, ROLES, SCOPES, lacking, scopes_of

VIEWER = {"environment:read", "release:read", "promotion:read", "policy:read", "evidence:read"}

TABLE = [
    ("viewer", set()),
    ("operator", {"release:write", "promotion:request", "promotion:cancel", "promotion:deploy", "evidence:write"}),
    ("approver", {"promotion:approve"}),
    ("auditor", {"audit:read", "evidence:export"}),
    (
        "admin",
        {"environment:write", "product:write", "policy:write", "policy:publish", "tenant:admin", "evidence:export"},
    ),
]


@pytest.mark.parametrize(("role", "more"), TABLE)
def test_a_role_is_viewer_and_its_own_scopes(role: str, more: set[str]) -> None:
    assert ROLES[role] == VIEWER | more


def test_the_table_has_every_role() -> None:
    assert [role for role, _ in TABLE] == list(ROLES)


def test_the_right_to_override_is_in_no_role() -> None:
    assert not any("promotion:override" in scopes for scopes in ROLES.values())


def test_an_administrator_has_no_vote() -> None:
    assert "promotion:approve" not in ROLES["admin"]


def test_every_scope_of_a_role_is_known() -> None:
    assert frozenset().union(*ROLES.values()) <= SCOPES.keys()


def test_every_scope_is_resource_and_verb_and_has_a_sentence() -> None:
    assert all(re.fullmatch(r"[a-z]+:[a-z]+", scope) and sentence for scope, sentence in SCOPES.items())


def test_every_role_has_a_sentence() -> None:
    assert ROLE_SENTENCES.keys() == ROLES.keys()


def test_several_roles_add_up() -> None:
    assert scopes_of(["operator", "approver"]) == ROLES["operator"] | ROLES["approver"]


def test_no_role_is_no_scope() -> None:
    assert scopes_of([]) == frozenset()


def test_a_role_that_this_version_does_not_know_grants_nothing() -> None:
    assert scopes_of(["king"]) == frozenset()


@pytest.mark.parametrize(
    ("scopes", "rights"),
    [
        (("policy:write",), "policy:write, which the role admin has"),
        (("evidence:export",), "evidence:export, which the roles auditor and admin have"),
        (("release:read",), "release:read, which every role has"),
        (("promotion:override",), "promotion:override, which is given by name and in no role"),
        (
            ("release:write", "audit:read"),
            "release:write, which the role operator has, or audit:read, which the role auditor has",
        ),
    ],
)
def test_who_lacks_a_right_is_told_which_and_who_has_it(scopes: tuple[str, ...], rights: str) -> None:
    assert lacking(*scopes) == f"This needs the right {rights}: ask an administrator of the tenant for it."
