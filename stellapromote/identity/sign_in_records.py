"""Audit events of signing in and out (domain.md §9). They have no tenant: an account may be in several."""

from datetime import datetime

from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.audit.recording import record


def succeeded(request: HttpRequest, user: User, *, at: datetime) -> None:
    second_factor = second_factor_used(request, user)
    record(
        by=person_without_tenant(request, user),
        at=at,
        action="user.signed_in",
        resource="user",
        resource_id=user.pk,
        metadata={"secondFactor": second_factor} if second_factor else None,
    )


def ended(request: HttpRequest, user: User, *, at: datetime) -> None:
    record(
        by=person_without_tenant(request, user), at=at, action="user.signed_out", resource="user", resource_id=user.pk
    )


def failed(request: HttpRequest, username: str, *, at: datetime) -> None:
    """A name that no account has is not recorded: it may be a password that was typed into the wrong field."""
    user_id = User.objects.filter(username=username).values_list("pk", flat=True).first()
    record(
        by=nobody(request),
        at=at,
        action="user.sign_in_failed",
        resource="user",
        resource_id=user_id or "",
        metadata={"knownAccount": user_id is not None},
    )


def nobody(request: HttpRequest) -> Actor:
    """The actor of a request before its person is known."""
    return Actor(
        kind="system",
        user_id=None,
        username="",
        display_name="Nobody signed in",
        tenant_id=None,
        tenant_slug="",
        address=_address(request),
        request_id=_request_id(request),
    )


def second_factor_failed(request: HttpRequest, user: User, *, at: datetime) -> None:
    """The password was right, and the code was not."""
    record(
        by=person_without_tenant(request, user),
        at=at,
        action="user.second_factor_failed",
        resource="user",
        resource_id=user.pk,
    )


def second_factor_used(request: HttpRequest, user: User) -> str:
    """The kind of the second factor with which the person signed in, empty without one."""
    records = get_authentication_records(request, user)
    return next((each["type"] for each in reversed(records) if each["method"] == "mfa"), "")


def person_without_tenant(request: HttpRequest | None, user: User) -> Actor:
    """The person as the actor of events about their account, in any tenants."""
    return Actor(
        kind="person",
        user_id=user.pk,
        username=user.username,
        display_name=user.display_name,
        tenant_id=None,
        tenant_slug="",
        address=_address(request),
        request_id=_request_id(request),
    )


def _address(request: HttpRequest | None) -> str | None:
    return getattr(request, "client_address", None)


def _request_id(request: HttpRequest | None) -> str | None:
    return getattr(request, "request_id", None)
