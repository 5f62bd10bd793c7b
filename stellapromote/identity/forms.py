"""Forms of the /settings pages. They read input; the actions judge it."""

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import TypeVar

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

from stellapromote.accounts.models.token import DEFAULT_LIFE, LONGEST_LIFE
from stellapromote.accounts.scopes import GRANTED_BY_NAME, NEVER_FOR_SERVICES, ROLE_SENTENCES, ROLES, SCOPES
from stellapromote.errors import Conflict, Invalid
from stellapromote.identity import rules

T = TypeVar("T")
LONGEST_PASSWORD = 1024


def posted(request: HttpRequest) -> QueryDict | None:
    """What a form is bound to: nothing while the page is only looked at."""
    return request.POST if request.method == "POST" else None


def submit(form: forms.Form, act: Callable[[], T]) -> T | None:
    """What the action returns; None when the form or the action found something to correct: the form says it."""
    if not form.is_valid():
        return None
    try:
        return act()
    except Invalid as error:
        for each in error.fields:
            form.add_error(each.field if each.field in form.fields else None, each.message)
    except Conflict as error:
        form.add_error(None, error.message)
    return None


class DisplayNameForm(forms.Form):
    display_name = forms.CharField(label=_("Your name"), max_length=rules.LONGEST_NAME)


class FirstPasswordForm(SetPasswordForm):
    """Django's form with a bound: hashing a megabyte is work for free."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.validators.append(MaxLengthValidator(LONGEST_PASSWORD))


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("What is it for?"), max_length=rules.LONGEST_TOKEN_NAME, help_text=_("You recognize it by this later.")
    )
    scopes = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)
    expires_days = forms.IntegerField(
        label=_("Days until it expires"),
        min_value=1,
        max_value=LONGEST_LIFE.days,
        initial=DEFAULT_LIFE.days,
        help_text=_("1 to %(days)d.") % {"days": LONGEST_LIFE.days},
    )

    def __init__(self, *args: object, held: Collection[str], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        _choices(self, "scopes", _scope_choices(held))

    @property
    def life(self) -> timedelta:
        return timedelta(days=self.cleaned_data["expires_days"])


class ReasonForm(forms.Form):
    """Ending something: who reads the record later wants to know why."""

    reason = forms.CharField(label=_("Reason"), max_length=rules.LONGEST_REASON)


class GrantRoleForm(ReasonForm):
    role = forms.ChoiceField(label=_("Role"))
    field_order = ("role", "reason")

    def __init__(self, *args: object, held: Collection[str], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        _choices(self, "role", [(role, f"{role}: {ROLE_SENTENCES[role]}") for role in ROLES if role not in held])


class GrantScopeForm(ReasonForm):
    """A right that no role has; the reason is required, because it lets one person pass a gate."""

    scope = forms.ChoiceField(label=_("Right"))
    field_order = ("scope", "reason")

    def __init__(self, *args: object, held: Collection[str], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        _choices(self, "scope", [(each, f"{each}: {SCOPES[each]}") for each in GRANTED_BY_NAME if each not in held])


class GrantTeamForm(ReasonForm):
    team = forms.ChoiceField(label=_("Team"))
    field_order = ("team", "reason")

    def __init__(self, *args: object, teams: Iterable[tuple[str, str]], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        _choices(self, "team", [(slug, f"{name} ({slug})") for slug, name in teams])


class AddMemberForm(ReasonForm):
    username = forms.CharField(
        label=_("Username"),
        max_length=63,
        help_text=_("Of somebody who was a member here before. New members are added on the server."),
    )
    field_order = ("username", "reason")


class TeamForm(forms.Form):
    slug = forms.CharField(label=_("Short name"), max_length=63, help_text=rules.SLUG_HELP)
    name = forms.CharField(label=_("Name"), max_length=rules.LONGEST_NAME, required=False)


class ServiceForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=63, help_text=rules.SLUG_HELP)
    owners = forms.CharField(
        label=_("Owners"),
        max_length=500,
        help_text=_("Usernames of members, separated by commas. What the service does counts as done by them."),
    )
    scopes = forms.MultipleChoiceField(label=_("What it may do"), widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        _choices(self, "scopes", _scope_choices(SCOPES.keys() - NEVER_FOR_SERVICES))

    @property
    def usernames(self) -> list[str]:
        return [name.strip() for name in self.cleaned_data["owners"].split(",") if name.strip()]


def _scope_choices(held: Collection[str]) -> list[tuple[str, str]]:
    return [(scope, f"{scope}: {sentence}") for scope, sentence in SCOPES.items() if scope in held]


def _choices(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
