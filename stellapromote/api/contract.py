"""The contract as a table: every call with its right and its codes, out of the OpenAPI document (docs/api.md)."""

from collections.abc import Mapping
from typing import Any

from stellapromote.api.declarations import MEMBER, PUBLIC

_METHODS = ("get", "post", "put", "patch", "delete")
_WORDS = {PUBLIC: "none, no authentication", MEMBER: "any member"}
_EVERYWHERE = (
    "AUTH_",
    "VAL_",
    "SYS_",
    "PERM_TENANT_REQUIRED",
    "PERM_CSRF",
    "RES_IDEMPOTENCY_KEY_REUSED",
    "RES_IN_PROGRESS",
)
_INTRODUCTION = """# The REST contract

Every call of /api/v1 with the right it needs and its codes. `PUT` and `PATCH` both merge. The rules of every call
(errors, paging, idempotency, conditions, order of checks) are in [api-conventions.md](api-conventions.md), the meaning
of each code and what to do in [errors.md](errors.md), fields and bounds at `/api/docs` and `/api/v1/schema`.
The rows leave out the codes of authentication (`AUTH_*`, `PERM_TENANT_REQUIRED`, `PERM_CSRF`), of the request
itself (`VAL_*`), of `Idempotency-Key` (`RES_IDEMPOTENCY_KEY_REUSED`, `RES_IN_PROGRESS`) and of the server (`SYS_*`).
Written by `manage.py api_contract > docs/api.md`; a test compares the two.
"""


def as_markdown(document: Mapping[str, Any]) -> str:
    """The text of docs/api.md for an OpenAPI document."""
    groups: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                groups.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    text = _INTRODUCTION
    for group in sorted(groups):
        text += f"\n## {group}\n\n| call | what it does | right | answers |\n|---|---|---|---|\n"
        text += "".join(groups[group])
    return text


def own_codes(operation: Mapping[str, Any]) -> list[str]:
    """The codes of an operation that the conventions do not already promise for every call."""
    found = []
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            narrowed = answer["content"]["application/json"]["schema"]["allOf"][1]
            found += narrowed["properties"]["error"]["properties"]["code"]["enum"]
    return [code for code in found if not code.startswith(_EVERYWHERE)]


def right(operation: Mapping[str, Any]) -> str:
    """The right an operation needs, in words."""
    scopes = operation["x-required-scope"]
    return _WORDS.get(scopes) or f"`{scopes}`" if isinstance(scopes, str) else " or ".join(f"`{s}`" for s in scopes)


def _row(method: str, path: str, operation: Mapping[str, Any]) -> str:
    successes = [status for status in operation["responses"] if int(status) < 400]
    answers = ", ".join([*successes, *(f"`{code}`" for code in own_codes(operation))])
    summary = operation["summary"].rstrip(".")
    return f"| `{method.upper()} {path}` | {summary} | {right(operation)} | {answers} |\n"
