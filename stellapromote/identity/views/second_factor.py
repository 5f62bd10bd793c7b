"""Pages by which a person sets up, renews and turns off their own second factor. Each asks for password and code."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import ProductError
from stellapromote.identity import second_factor, sign_in_records, throttle
from stellapromote.identity.actions.end_second_factor import end_second_factor
from stellapromote.identity.actions.renew_recovery_codes import renew_recovery_codes
from stellapromote.identity.actions.set_up_second_factor import set_up_second_factor
from stellapromote.identity.forms import OwnSecondFactorForm
from stellapromote.identity.rules import wrong
from stellapromote.identity.sessions import note_second_factor
from stellapromote.web.access import tenant_not_required
from stellapromote.web.acting import carry_out
from stellapromote.web.forms import posted
from stellapromote.web.htmx import go_to

T = TypeVar("T")


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_not_required
def set_up(request: HttpRequest) -> HttpResponse:
    """Shows a new secret for the person's app, and takes a code of it. The recovery codes are in the answer, once."""
    user, form = _person(request), OwnSecondFactorForm(posted(request))

    def act() -> list[str]:
        secret = second_factor.secret_of_form(user, form.cleaned_data["setup"], DATABASE_CLOCK.now())
        if secret is None:
            raise wrong("code", "This page is too old: add the new secret to your app, then type its code.", "expired")
        return set_up_second_factor(
            by=sign_in_records.person_without_tenant(request, user),
            clock=DATABASE_CLOCK,
            user=user,
            secret=secret,
            code=form.cleaned_data["code"],
            keep_session=request.session.session_key,
        )

    def again(refusal: ProductError | None) -> HttpResponse:
        return _set_up_page(request, user, form, refusal)

    def then(codes: list[str]) -> HttpResponse:
        note_second_factor(request, second_factor.APP)
        return _codes_page(request, codes)

    return carry_out(request, lambda: _proved(request, user, form, act), form=form, again=again, then=then)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_not_required
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Makes new recovery codes. They are in the answer, once."""
    user, form = _person(request), OwnSecondFactorForm(posted(request))

    def act() -> list[str]:
        by = sign_in_records.person_without_tenant(request, user)
        return renew_recovery_codes(by=by, clock=DATABASE_CLOCK, user=user, code=form.cleaned_data["code"])

    return carry_out(
        request,
        lambda: _proved(request, user, form, act),
        form=form,
        again=lambda refusal: _page(request, "renew", form, refusal),
        then=lambda codes: _codes_page(request, codes),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_not_required
def turn_off(request: HttpRequest) -> HttpResponse:
    user, form = _person(request), OwnSecondFactorForm(posted(request))

    def act() -> None:
        end_second_factor(
            by=sign_in_records.person_without_tenant(request, user),
            clock=DATABASE_CLOCK,
            user=user,
            code=form.cleaned_data["code"],
            keep_session=request.session.session_key,
        )

    def then(_: None) -> HttpResponse:
        note_second_factor(request, "")
        return go_to(request, reverse("settings"), done="Your second factor is turned off.")

    return carry_out(
        request,
        lambda: _proved(request, user, form, act),
        form=form,
        again=lambda refusal: _page(request, "turn_off", form, refusal),
        then=then,
    )


def _proved(request: HttpRequest, user: User, form: OwnSecondFactorForm, act: Callable[[], T]) -> T:
    """Acts once the password is right. An attempt counts until password and code are right."""
    admission = second_factor.admit(request, user)
    if not user.check_password(form.cleaned_data["password"]):
        raise wrong("password", "This is not your password.", "wrong")
    result = act()
    throttle.succeeded(admission, now=DATABASE_CLOCK.now())
    return result


def _set_up_page(
    request: HttpRequest, user: User, form: OwnSecondFactorForm, refusal: ProductError | None
) -> HttpResponse:
    """With the secret that the form carries, or with a new one."""
    sealed = form.data.get("setup", "")
    secret = second_factor.secret_of_form(user, sealed, DATABASE_CLOCK.now()) if sealed else None
    if secret is None:
        secret, sealed = second_factor.new_secret(user)
    address = second_factor.address_for_app(user, secret)
    shown = {"setup": sealed, "secret": secret, "address": address, "picture": second_factor.picture(address)}
    return _page(request, "set_up", form, refusal, **shown)


def _page(
    request: HttpRequest, template: str, form: OwnSecondFactorForm, refusal: ProductError | None, **shown: Any
) -> HttpResponse:
    return render(request, f"second_factor/{template}.html", {"form": form, "refusal": refusal, **shown})


def _codes_page(request: HttpRequest, codes: list[str]) -> HttpResponse:
    return render(request, "second_factor/codes.html", {"codes": codes})


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
