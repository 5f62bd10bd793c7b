"""The forms of Django admin for products and for the people of teams."""

from typing import Any, ClassVar

from django import forms

from environments.ordering import order
from policies.models import Proposal
from policies.proposing_admin import ProposingForm
from promotions.actions.give_right import give_right
from promotions.actions.products import create_product, product_tag, update_product
from promotions.pages.bodies import NewProduct
from promotions.pages.forms import BodyField
from promotions.pages.products import (
    OWNERS_HELP,
    PATH_HELP,
    REPOSITORIES_HELP,
    SLUG_HELP,
    RepositoriesField,
    chosen_path,
    owner_choices,
    path_choices,
    path_of,
    teams_to_own,
)
from promotions.reading.products import repositories_of
from stellapromote.accounts.models import Confirmable, Membership, Product, TeamGrant
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity import rules
from stellapromote.identity.roster import teams_of
from stellapromote.web.action_model_form import ActionModelForm

_TEXTS = ("display_name", "description", "image_repositories", "owner_teams", "path")


class ProductAdminForm(ProposingForm):
    display_name = BodyField(NewProduct, "displayName", label="Display name", help_text="Empty: the short name.")
    description = BodyField(NewProduct, "description", label="Description", widget=forms.Textarea(attrs={"rows": 2}))
    image_repositories = RepositoriesField(
        label="Image repositories",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=REPOSITORIES_HELP,
    )
    owner_teams = forms.MultipleChoiceField(
        label="Owner teams", required=False, widget=forms.CheckboxSelectMultiple, help_text=OWNERS_HELP
    )
    path = forms.MultipleChoiceField(
        label="Path", required=False, widget=forms.CheckboxSelectMultiple, help_text=PATH_HELP
    )

    class Meta:
        model = Product
        fields = ("slug",)
        labels: ClassVar = {"slug": "Short name"}
        help_texts: ClassVar = {"slug": SLUG_HELP}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._environments = order(self.actor.tenant)
        self._offer("owner_teams", owner_choices(teams_to_own(self.actor)))
        self._offer("path", path_choices(self._environments))
        if not self.instance._state.adding:
            self.initial.update(
                {
                    "seen": product_tag(self.instance),
                    "image_repositories": "\n".join(repositories_of(self.instance)),
                    "path": path_of(self.instance, self._environments),
                }
            )

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = choices

    def clean_path(self) -> list[str] | None:
        return chosen_path(self.cleaned_data["path"], self._environments)

    def act(self, cleaned: dict[str, Any]) -> Product | Proposal:
        given = {name: cleaned[name] for name in _TEXTS}
        if self.instance._state.adding:
            return create_product(by=self.actor, clock=DATABASE_CLOCK, slug=cleaned["slug"], **given)
        return update_product(
            by=self.actor,
            clock=DATABASE_CLOCK,
            slug=self.instance.slug,
            changes={name: value for name, value in given.items() if name in self.changed_data},
            if_match=self.condition(cleaned),
        )


class TeamMemberForm(ActionModelForm):
    """Puts a member into a team."""

    main_field = "team"
    called: ClassVar = {"name": "team"}

    username = forms.CharField(label="Username of a member", max_length=63)
    reason = forms.CharField(label="Reason", max_length=rules.LONGEST_REASON)

    class Meta:
        model = TeamGrant
        fields = ("team",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field = self.fields["team"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = teams_of(self.actor.tenant).order_by("slug")

    def clean_username(self) -> Any:
        """The membership of the person."""
        username = self.cleaned_data["username"]
        found = Membership.objects.filter(tenant_id=self.actor.tenant, user__username=username, ended_at=None).first()
        if found is None:
            raise forms.ValidationError(f"There is no member {username}. Correct the name, or invite them first.")
        return found

    def act(self, cleaned: dict[str, Any]) -> Confirmable | Proposal:
        return give_right(
            by=self.actor,
            clock=DATABASE_CLOCK,
            user_id=cleaned["username"].user_id,
            kind="team",
            name=cleaned["team"].slug,
            reason=cleaned["reason"],
        )
