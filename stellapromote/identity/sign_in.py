"""Signing in with username and password, through django-allauth: throttled, audited, silent about which accounts exist.

OIDC is configuration of allauth later; it ends in the same adapter.
"""

from datetime import timedelta
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import LoginForm
from allauth.account.internal.stagekit import clear_login
from allauth.account.views import LoginView
from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.views import AuthenticateView
from django import forms
from django.contrib.auth import authenticate
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import NON_FIELD_ERRORS
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from stellapromote.accounts.models import User
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import sign_in_records, throttle
from stellapromote.identity.actions.renew_password import renew_password
from stellapromote.identity.actions.set_password import set_password
from stellapromote.identity.actions.use_second_factor import use_second_factor
from stellapromote.identity.known_devices import known_device, remember_device
from stellapromote.identity.second_factor import TooManyAttempts, admit
from stellapromote.identity.sessions import note_sign_in
from stellapromote.web.kept_forms import carried, keep_after_sign_in
from stellapromote.web.times import duration_words


class PeopleBackend(AuthenticationBackend):
    """Only active people have a session; services come with tokens (product.md, Roles)."""

    def user_can_authenticate(self, user: Any) -> bool:
        return bool(super().user_can_authenticate(user)) and user.kind == User.Kind.PERSON

    def get_user(self, user_id: Any) -> Any:
        user = super().get_user(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None


class SignInAdapter(DefaultAccountAdapter):
    """allauth's hooks, with our own throttle and audit events in them."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "Username or password is wrong.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Administrators make accounts; there is no registration."""
        return False

    def is_ajax(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """These pages answer with pages, for any header."""
        return False

    def is_safe_url(self, url: str | None) -> bool:
        """`next` stays on this site: a path, not another allowed host."""
        return bool(url) and url_has_allowed_host_and_scheme(url, allowed_hosts=None)

    def get_client_ip(self, request: HttpRequest) -> str:
        return getattr(request, "client_address", None) or "0.0.0.0"  # noqa: S104  a key for allauth's limits

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """The person, or None for every reason alike: unknown, wrong, a service, not active.

        ValidationError `throttled` inside the delay, whether the password is right or not.
        """
        username = str(credentials.get("username", "")).strip().lower()
        address = getattr(request, "client_address", None)
        now = DATABASE_CLOCK.now()
        buckets = throttle.buckets_for(username, address, known_device(request, username))
        admission = throttle.admit(buckets, now=now)
        if not admission.allowed:
            raise _throttled(admission.wait)
        user = authenticate(request, **{**credentials, "username": username})
        AuthenticationBackend.unstash_authenticated_user()
        if user is None:
            sign_in_records.failed(request, username, at=now)
            return None
        if user.password_is_outdated:
            by = sign_in_records.person_without_tenant(request, user)
            renew_password(by=by, clock=DATABASE_CLOCK, user=user, password=credentials["password"])
        throttle.succeeded(admission, now=now)
        throttle.forget(now=now)
        return user

    def post_login(self, request: HttpRequest, user: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        remember_device(response, user.username)
        note_sign_in(request, second_factor=sign_in_records.second_factor_used(request, user))
        sign_in_records.succeeded(request, user, at=DATABASE_CLOCK.now())
        return response

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        super().logout(request)
        if isinstance(user, User):
            sign_in_records.ended(request, user, at=DATABASE_CLOCK.now())

    def set_password(self, user: Any, password: str) -> None:
        """Every other session of the person ends with the old password."""
        request = context.request
        set_password(
            by=sign_in_records.person_without_tenant(request, user),
            clock=DATABASE_CLOCK,
            user=user,
            password=password,
            keep_session=None if request is None else request.session.session_key,
        )

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        """By password alone: the pages of the second factor ask for its code themselves."""
        return [each for each in super().get_reauthentication_methods(user) if each["id"] == "reauthenticate"]

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:  # noqa: ARG002
        return "/settings"


class SignInForm(LoginForm):
    """allauth's form; the first field takes focus, unless a mistake has to be read first."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].validators.append(MaxLengthValidator(1024))
        if not self.is_bound:
            self.fields["login"].widget.attrs["autofocus"] = True


class CodeForm(AuthenticateForm):
    """allauth's form of the second step, with our throttle and our way to use up a code."""

    code = forms.CharField(
        label="Code",
        max_length=32,
        help_text="The six digits that your app shows now, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )

    def clean_code(self) -> str:
        try:
            admission = admit(context.request, self.user)
        except TooManyAttempts as refusal:
            raise _throttled(timedelta(seconds=refusal.retry_after)) from refusal
        now = DATABASE_CLOCK.now()
        used = use_second_factor(self.user, self.cleaned_data["code"], now)
        if used is None:
            sign_in_records.second_factor_failed(context.request, self.user, at=now)
            raise forms.ValidationError("This code is wrong or was used before: wait for the next one.")
        throttle.succeeded(admission, now=now)
        self.authenticator = used
        return str(self.cleaned_data["code"])


class SecondFactorView(AuthenticateView):
    """allauth's second step of signing in; a refused attempt answers 429."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        if response.headers.get("Location") == reverse("account_login"):
            clear_login(request)  # the second factor was removed since the first step
        return response

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        return _told_to_wait(response, form, "code")


class SignInView(LoginView):
    """allauth's view; a refused attempt answers 429 and says when to try again. It carries a form that was posted too
    late (stellapromote/web/kept_forms.py)."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "carried": carried(self.request)}

    def form_valid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)
        keep_after_sign_in(self.request)
        return response

    def form_invalid(self, form: forms.Form) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        return _told_to_wait(response, form, NON_FIELD_ERRORS)


def _told_to_wait(response: HttpResponse, form: forms.Form, field: str) -> HttpResponse:
    for error in form.errors.as_data().get(field, ()):
        if error.code == "throttled" and error.params:
            response.status_code = 429
            response["Retry-After"] = str(error.params["seconds"])
    return response


def _throttled(wait: timedelta) -> forms.ValidationError:
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    return forms.ValidationError(
        f"Too many attempts. Wait {duration_words(timedelta(seconds=seconds))}, then try again.",
        code="throttled",
        params={"seconds": seconds},
    )
