"""Marks that a view carries: who may reach it. Without a mark a page needs a person who is signed in, and a tenant."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponseBase

View = Callable[..., HttpResponseBase]

#: Mark of a page without sign-in. The sweep over all URLs lists each one with its reason.
public = login_not_required


def tenant_not_required(view: View) -> View:
    """Mark of a page that a signed-in person opens without an active tenant: signing out, the password, the choice."""

    @wraps(view)
    def marked(*args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(*args, **kwargs)

    vars(marked)["tenant_required"] = False
    return marked


def needs_login(view: View) -> bool:
    return getattr(view, "login_required", True)


def needs_tenant(view: View) -> bool:
    return needs_login(view) and getattr(view, "tenant_required", True)
