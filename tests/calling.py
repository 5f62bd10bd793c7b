"""Calls of the API as a client makes them: with a token, over Django's test client."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.test import Client

from stellapromote.accounts.models import Tenant, User
from tests.factories import make_token

NOWHERE = "00000000-0000-7000-8000-000000000000"
"""An id of nothing."""


@dataclass(frozen=True)
class Caller:
    """Somebody with a token in hand."""

    text: str

    def call(self, method: str, path: str, data: Any = None, *, raw: bytes | None = None, **headers: str) -> Any:
        """One call below /api/v1. `headers` by their names with underscores: `If_Match='"7"'`."""
        body = raw if raw is not None else b"" if data is None else json.dumps(data).encode()
        sent = {
            "Authorization": f"Bearer {self.text}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return Client().generic(
            method, f"/api/v1{path}", body, content_type="application/json" if body else "", headers=sent
        )

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, data: Any = None, **headers: str) -> Any:
        return self.call("POST", path, data, **headers)

    def put(self, path: str, data: Any, **headers: str) -> Any:
        return self.call("PUT", path, data, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)


def caller(tenant: Tenant, user: User, *, scopes: Iterable[str] | None = None) -> Caller:
    """Somebody of the tenant with a token of all their scopes, or of these."""
    return Caller(make_token(tenant, user, scopes=scopes))


def refusal(response: Any) -> tuple[int, str]:
    """Status and code of an error answer."""
    return response.status_code, response.json()["error"]["code"]


def wrong_fields(response: Any) -> list[str]:
    """The places that a 400 names."""
    assert response.status_code == 400, response.content
    return [each["field"] for each in response.json()["error"]["validationErrors"]]
