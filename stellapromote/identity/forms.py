"""Forms of the /settings pages. They read input; the actions judge it."""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.forms import SetPasswordForm
from django.core.validators import MaxLengthValidator

from stellapromote.accounts.models import Product, User
from stellapromote.accounts.models.token import DEFAULT_LIFE, LONGEST_LIFE
from stellapromote.accounts.scopes import (
    GRANTED_BY_NAME,
    LIMITED_ROLES,
    NEVER_FOR_SERVICES,
    ROLE_SENTENCES,
    ROLES,
    SCOPES,
)
from stellapromote.identity import rules
from stellapromote.identity.product_choice import names_in, offer_products, products_field
from stellapromote.patterns import SLUG_HELP
from stellapromote.time_zones import zone_names
from stellapromote.web.forms import ActionFields, ActionForm

LONGEST_PASSWORD = 1024
MOST_CONFIRMED = 100


class DisplayNameForm(ActionForm):
    display_name = forms.CharField(label="Your name", max_length=rules.LONGEST_NAME)


class TimeZoneForm(ActionForm):
    time_zone = forms.ChoiceField(
        label="Your time zone", help_text="Pages show times in it. Answers of the API are UTC."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _choices(self, "time_zone", [(name, name) for name in sorted(zone_names())])


if TYPE_CHECKING:
    PasswordForm = SetPasswordForm[User]
else:
    PasswordForm = SetPasswordForm


class FirstPasswordForm(ActionFields, PasswordForm):
    """Django's form with a bound: hashing a megabyte is work for free."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.validators.append(MaxLengthValidator(LONGEST_PASSWORD))


class OwnSecondFactorForm(ActionForm):
    """What a change of one's own second factor takes: the password, and a code. ``setup``: the sealed secret of a new
    one."""

    setup = forms.CharField(max_length=1024, required=False, widget=forms.HiddenInput)
    password = forms.CharField(
        label="Your password",
        max_length=LONGEST_PASSWORD,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Code",
        max_length=32,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class TokenForm(ActionForm):
    name = forms.CharField(
        label="What is it for?", max_length=rules.LONGEST_TOKEN_NAME, help_text="You recognize it by this later."
    )
    scopes = forms.MultipleChoiceField(label="What it may do", widget=forms.CheckboxSelectMultiple)
    expires_days = forms.IntegerField(
        label="Days until it expires",
        min_value=1,
        max_value=LONGEST_LIFE.days,
        initial=DEFAULT_LIFE.days,
        help_text=f"1 to {LONGEST_LIFE.days}.",
    )
    products = products_field(
        "None: for all. A token for products reads everything, and creates releases, requests, cancels and "
        "reports for these alone; it has no other rights."
    )

    def __init__(self, *args: Any, held: Collection[str], products: Sequence[Product], **options: Any) -> None:
        super().__init__(*args, **options)
        _choices(self, "scopes", _scope_choices(held))
        offer_products(self, products)

    @property
    def life(self) -> timedelta:
        return timedelta(days=self.cleaned_data["expires_days"])


class ReasonForm(ActionForm):
    """Ending something: who reads the record later wants to know why."""

    reason = forms.CharField(label="Reason", max_length=rules.LONGEST_REASON)


class GrantRoleForm(ReasonForm):
    """A role that may be limited is offered to a person who holds it too: granted again, it counts for others."""

    role = forms.ChoiceField(label="Role")
    products = products_field(
        "None: for all. Only operator and approver can be limited. An operator of some products uploads no "
        "evidence; an approver of some confirms no proposal, grant or account. Granting a role again with other "
        "products ends the one before."
    )
    field_order = ("role", "products", "reason")

    def __init__(self, *args: Any, held: Collection[str], products: Sequence[Product], **options: Any) -> None:
        super().__init__(*args, **options)
        offer_products(self, products)
        again = LIMITED_ROLES if "products" in self.fields else {}
        offered = [role for role in ROLES if role not in held or role in again]
        _choices(self, "role", [(role, f"{role}: {ROLE_SENTENCES[role]}") for role in offered])


class GrantScopeForm(ReasonForm):
    """A right that no role has; the reason is required, because it lets one person pass a gate."""

    scope = forms.ChoiceField(label="Right")
    field_order = ("scope", "reason")

    def __init__(self, *args: Any, held: Collection[str], **options: Any) -> None:
        super().__init__(*args, **options)
        _choices(self, "scope", [(each, f"{each}: {SCOPES[each]}") for each in GRANTED_BY_NAME if each not in held])


class GrantTeamForm(ReasonForm):
    team = forms.ChoiceField(label="Team")
    field_order = ("team", "reason")

    def __init__(self, *args: Any, teams: Iterable[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        _choices(self, "team", [(slug, f"{name} ({slug})") for slug, name in teams])


class AddMemberForm(ReasonForm):
    username = forms.CharField(
        label="Username",
        max_length=63,
        help_text="Of somebody who was a member here before. Others are invited.",
    )
    field_order = ("username", "reason")


class _AnyOfThem(forms.MultipleChoiceField):
    """Names of rows on the page, which may be there no more."""

    def valid_value(self, value: str) -> bool:  # noqa: ARG002
        return True


class ConfirmationsForm(ActionForm):
    """The grants and accounts that a person confirms at once."""

    chosen = _AnyOfThem(
        label="What you confirm", error_messages={"required": "Choose at least one of them, then confirm it."}
    )

    def clean_chosen(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["chosen"]
        if len(chosen) > MOST_CONFIRMED:
            raise forms.ValidationError(f"Choose at most {MOST_CONFIRMED} of them at once.")
        return chosen


class ForgottenPasswordForm(ActionForm):
    username = forms.CharField(label="Username", max_length=127)


class InvitationForm(ActionForm):
    """``mailed``: the link goes by e-mail, so there must be an address."""

    username = forms.CharField(label="Username", max_length=63, help_text=rules.USERNAME_HELP)
    display_name = forms.CharField(
        label="Name", max_length=rules.LONGEST_NAME, required=False, help_text="Of a new account; else the username."
    )
    email = forms.CharField(label="E-mail address", max_length=rules.LONGEST_EMAIL)
    roles = forms.MultipleChoiceField(label="Roles", widget=forms.CheckboxSelectMultiple)
    products = products_field(
        "None: for all. The roles operator and approver count for these alone; the others are never limited."
    )
    teams = forms.MultipleChoiceField(label="Teams", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self,
        *args: Any,
        teams: Iterable[tuple[str, str]],
        products: Sequence[Product],
        mailed: bool,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        offer_products(self, products)
        self.fields["email"].required = mailed
        _choices(self, "roles", [(role, f"{role}: {sentence}") for role, sentence in ROLE_SENTENCES.items()])
        _choices(self, "teams", [(slug, f"{name} ({slug})") for slug, name in teams])
        if not teams:
            del self.fields["teams"]


class TeamForm(ActionForm):
    slug = forms.CharField(label="Short name", max_length=63, help_text=SLUG_HELP)
    name = forms.CharField(label="Name", max_length=rules.LONGEST_NAME, required=False)


class ServiceRightsForm(ActionForm):
    scopes = forms.MultipleChoiceField(label="What it may do", widget=forms.CheckboxSelectMultiple)
    products = products_field(
        "None: for all. A service for products reads everything, and creates releases, requests, cancels and "
        "reports for these alone; it has no other rights."
    )

    def __init__(self, *args: Any, products: Sequence[Product], **options: Any) -> None:
        super().__init__(*args, **options)
        _choices(self, "scopes", _scope_choices(SCOPES.keys() - NEVER_FOR_SERVICES))
        offer_products(self, products)


class ServiceForm(ServiceRightsForm):
    field_order = ("name", "owners", "scopes", "products")

    name = forms.CharField(label="Name", max_length=63, help_text=SLUG_HELP)
    owners = forms.CharField(
        label="Owners",
        max_length=500,
        help_text="Usernames of members, separated by commas. What the service does counts as done by them.",
    )

    @property
    def usernames(self) -> list[str]:
        return names_in(self.cleaned_data["owners"])


class ServiceScopesForm(ServiceRightsForm):
    """``seen``: the ETag of the service that the person saw."""

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)


class ServiceOwnerForm(ActionForm):
    owner = forms.CharField(label="Username of a member", max_length=63)


class TeamNameForm(ActionForm):
    """``seen``: the ETag of the team that the person saw."""

    called = {"displayName": "name"}

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)
    name = forms.CharField(label="Name", max_length=rules.LONGEST_NAME)


def _scope_choices(held: Collection[str]) -> list[tuple[str, str]]:
    return [(scope, f"{scope}: {sentence}") for scope, sentence in SCOPES.items() if scope in held]


def _choices(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices
