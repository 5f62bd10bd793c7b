"""The content and the forms of the pages about products (ui.md, /products)."""

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from rest_framework import serializers

from environments.models import Environment
from environments.ordering import order
from environments.paths import along, required
from policies.models import Proposal
from promotions.actions.products import check_can_write, check_not_archived, product_tag
from promotions.pages.bodies import NewProduct, ProductChanges, SharedRepository
from promotions.pages.forms import BodyField
from promotions.reading.products import open_promotions, repositories_of
from promotions.reading.queries import promotions_of, rows_of
from promotions.states import OPEN
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ImageRepository, Product, Team
from stellapromote.accounts.scopes import PROMOTION_READ
from stellapromote.api.exceptions import field_errors
from stellapromote.api.pagination import QuerySetSource, read_page
from stellapromote.errors import sentence_against
from stellapromote.web.forms import ActionForm

PAGE = 50
SHOWN_PROMOTIONS = 20

OWNERS_HELP = "The team @owners in a rule of an approval policy stands for these."
REPOSITORIES_HELP = (
    "One on each line; ghcr.io/acme/* is all below ghcr.io/acme. Their images belong to this product alone."
)
PATH_HELP = "The environments that its releases pass, in this order. None: all of them, those to come included."
SLUG_HELP = "1 to 63 lower-case letters, digits and hyphens. Releases name it, and it never changes."

Context = dict[str, Any]


class OwnedForm(ActionForm):
    """With a choice of owner teams, where the tenant has teams."""

    owner_teams = forms.MultipleChoiceField(
        label="Owner teams",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=OWNERS_HELP,
    )

    def __init__(self, *args: Any, teams: Collection[Team], **options: Any) -> None:
        super().__init__(*args, **options)
        self.offer("owner_teams", owner_choices(teams))

    def offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
        if not choices:
            del self.fields[name]


class NewProductForm(OwnedForm):
    field_order = ("slug", "display_name", "description", "owner_teams")

    slug = BodyField(
        NewProduct,
        "slug",
        label="Short name",
        help_text=SLUG_HELP,
    )
    display_name = BodyField(NewProduct, "displayName", label="Display name", help_text="Empty: the short name.")
    description = BodyField(NewProduct, "description", label="Description", widget=forms.Textarea(attrs={"rows": 2}))


class RepositoriesField(forms.CharField):
    """Names of repositories, each on a line of its own."""

    rule = ProductChanges().fields["imageRepositories"]

    def clean(self, value: Any) -> list[str]:
        lines = [line.strip() for line in super().clean(value).splitlines()]
        try:
            names: list[str] = self.rule.run_validation([line for line in lines if line])
        except serializers.ValidationError as error:
            messages = [f"{each.field}: {each.message}" for each in field_errors(error.detail)]
            raise forms.ValidationError(messages) from None
        return names


class ProductForm(OwnedForm):
    """``seen``: the ETag of the product that the person saw."""

    field_order = ("seen", "display_name", "description", "image_repositories", "owner_teams", "path")

    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)
    display_name = BodyField(ProductChanges, "displayName", label="Display name", required=True)
    description = BodyField(
        ProductChanges, "description", label="Description", widget=forms.Textarea(attrs={"rows": 2})
    )
    image_repositories = RepositoriesField(
        label="Image repositories",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=REPOSITORIES_HELP,
    )
    path = forms.MultipleChoiceField(
        label="Path",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=PATH_HELP,
    )

    def __init__(
        self, *args: Any, teams: Collection[Team], environments: Sequence[Environment], **options: Any
    ) -> None:
        """``environments``: the live ones in promotion order."""
        super().__init__(*args, teams=teams, **options)
        self._environments = environments
        self.offer("path", path_choices(environments))

    def clean_path(self) -> list[str] | None:
        return chosen_path(self.cleaned_data["path"], self._environments)

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}


class ArchiveForm(ActionForm):
    seen = forms.CharField(max_length=100, widget=forms.HiddenInput)


class SharedRepositoryForm(ActionForm):
    name = BodyField(
        SharedRepository,
        "name",
        label="Repository",
        help_text="Releases of every product may have its images, beside one of their own; ghcr.io/acme/base/* is all "
        "below ghcr.io/acme/base.",
    )


def overview(request: HttpRequest, by: Actor) -> Context:
    """A page of products, newest first, with the number of open promotions of each. Invalid for a cursor of another
    list. Two statements."""
    page = read_page(
        QuerySetSource(Product.objects.filter(tenant_id=by.tenant), ("-created_at", "-id")),
        query={"cursor": request.GET.get("cursor", ""), "page_size": PAGE},
        path=request.path,
        tenant=by.tenant,
        filters={},
    )
    waiting = open_promotions(by.tenant, [product.slug for product in page.rows]) if by.has(PROMOTION_READ) else {}
    return {
        "products": [{"product": product, "open": waiting.get(product.slug, 0)} for product in page.rows],
        "meta": page.meta,
        "may_write": not sentence_against(check_can_write, by),
    }


def teams_to_own(by: Actor) -> list[Team]:
    """The teams of the tenant, by slug. One statement."""
    return list(Team.objects.filter(tenant_id=by.tenant).order_by("slug"))


def owner_choices(teams: Collection[Team]) -> list[tuple[str, str]]:
    return [(team.slug, _label(team)) for team in teams]


def path_choices(environments: Sequence[Environment]) -> list[tuple[str, str]]:
    """``environments``: the live ones in promotion order."""
    on_every_path = required(environments)
    return [
        (each.name, f"{each.display_name} (on every path)" if each.pk in on_every_path else each.display_name)
        for each in environments
    ]


def path_of(product: Product, environments: Sequence[Environment]) -> list[str]:
    """The names that a form shows as chosen: none where it passes all."""
    return [] if product.path is None else [each.name for each in along(environments, product.path)]


def chosen_path(chosen: Collection[str], environments: Sequence[Environment]) -> list[str] | None:
    """The chosen names in promotion order; None where none is chosen."""
    return [each.name for each in environments if each.name in chosen] or None


def _label(team: Team) -> str:
    return team.slug if team.name in ("", team.slug) else f"{team.name} ({team.slug})"


def of_no_product(by: Actor) -> Context:
    """Repositories that are shared, and those that are undecided. One statement."""
    rows = list(ImageRepository.objects.filter(tenant_id=by.tenant, product=None).order_by("name"))
    return {
        "shared": [row for row in rows if row.is_shared],
        "undecided": [row for row in rows if not row.is_shared],
        "may_write": not sentence_against(check_can_write, by),
    }


def detail(by: Actor, product: Product, form: ProductForm | None) -> Context:
    """One product with its newest open promotions and the forms of this person."""
    waiting = promotions_of(by.tenant).filter(product=product.slug, status__in=OPEN)
    repositories, teams, environments = repositories_of(product), teams_to_own(by), order(by.tenant)
    path = along(environments, product.path)
    values = {
        "seen": product_tag(product),
        "display_name": product.display_name,
        "description": product.description,
        "image_repositories": "\n".join(repositories),
        "owner_teams": product.owner_teams,
        "path": path_of(product, environments),
    }
    return {
        "product": product,
        "proposed": list(Proposal.objects.of(by.tenant).about(product.pk)),
        "repositories": repositories,
        "seen": values["seen"],
        "rows": rows_of(waiting)[:SHOWN_PROMOTIONS] if by.has(PROMOTION_READ) else [],
        "open": open_promotions(by.tenant, [product.slug]).get(product.slug, 0) if by.has(PROMOTION_READ) else 0,
        "path": path,
        "owners": [_label(team) for team in teams if team.slug in product.owner_teams],
        "form": form or ProductForm(None, initial=values, teams=teams, environments=environments),
        "may_write": not (sentence_against(check_can_write, by) or sentence_against(check_not_archived, product)),
    }
