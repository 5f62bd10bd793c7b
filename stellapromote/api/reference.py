"""docs/api.md: every call with its right, for reviewers. Written from what viewsets declare; a test compares."""

from stellapromote.api.docs import groups
from stellapromote.api.schema import openapi

_HEAD = """# API: every call and the right it needs

Written by `python manage.py api_reference > docs/api.md` from what the viewsets declare. The whole contract, with
bodies, answers and refusals, is at `/api/v1/schema` (OpenAPI 3.1) and, for people, at `/api/docs`. How it behaves:
[api-conventions.md](api-conventions.md).
"""


def reference(urlconf: str) -> str:
    """The text of docs/api.md for the calls of a URL conf."""
    document = openapi(urlconf)
    lines = [_HEAD]
    for group in groups(urlconf):
        lines += [f"## {group.name}", "", "| call | right | |", "|---|---|---|"]
        for operation in group.operations:
            scopes = document["paths"][operation.path][operation.method.lower()]["x-required-scope"]
            right = " or ".join([scopes] if isinstance(scopes, str) else scopes)
            path = operation.path.removeprefix("/api/v1")
            lines.append(f"| {operation.method} {path} | {right} | {operation.summary} |")
        lines.append("")
    return "\n".join(lines)
