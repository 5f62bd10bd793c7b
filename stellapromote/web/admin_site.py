"""Django admin for members with the role admin, in their active tenant (product.md, Roles): there is no superuser."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.web.acting import acting


def administering(request: HttpRequest) -> Actor | None:
    """The administrator of the active tenant, or None for other people."""
    actor = getattr(request, "actor", None)
    return actor if isinstance(actor, Actor) and actor.has(TENANT_ADMIN) else None


if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin = admin.ModelAdmin
    TabularInline = admin.TabularInline


class TenantAdmin(ModelAdmin):
    """Shared by both bases: rows of the active tenant only, nothing deleted, no bulk actions.

    ``tenant_path`` leads from the model to its tenant in lookup notation; ``scope`` is a right that the administrator
    must hold as well, for rows that not every administrator reads.
    """

    tenant_path = "tenant"
    scope = TENANT_ADMIN
    actions = None
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        actor = administering(request)
        rows = super().get_queryset(request)
        return rows.none() if actor is None else rows.filter(**{self.tenant_path: actor.tenant})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        actor = administering(request)
        return actor is not None and actor.has(self.scope)

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False


class ReadOnlyAdmin(TenantAdmin):
    """Looking only: workflow, decisions, evidence, audit, grants and accounts."""


class ActionAdmin(TenantAdmin):
    """Adding and changing by the product's own actions. ``form`` is an ActionModelForm: its validation has called the
    action, so that a refusal stands beside the field, and nothing is left to save."""

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **{"form": forms.ModelForm, **options})
        form = super().get_form(request, obj, change, **options)
        return type(form.__name__, (form,), {"actor": administering(request)})

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:  # noqa: ARG002
        return self.inlines if obj else ()

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """An edit whose form is shown again, for any fault found after the action, is not stored."""
        with transaction.atomic():
            response = super().changeform_view(request, *args, **options)
            shown = (getattr(response, "context_data", None) or {}).get("adminform")
            if shown is not None and shown.form.is_bound and shown.form.stored:
                transaction.set_rollback(True)
        return response

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        return administering(request) is not None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return administering(request) is not None

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ARG002
        if not form.stored:
            raise TypeError(f"{type(self).__name__} stores nothing by itself: it has to call an action.")


class ReadOnlyInline(TabularInline):
    """Rows that belong to another one, to look at."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return administering(request) is not None


class TenantAdminSite(admin.AdminSite):
    """Takes models only through the two bases; models that libraries register stay out."""

    site_header = "StellaPromote administration"
    site_title = "StellaPromote"
    index_title = "Administration"
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        """For administrators; other people who are signed in get the page of that refusal."""
        acting(request).require(TENANT_ADMIN)
        return True

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """Django's own sign-in page is not used: a person who gets here has passed the product's."""
        return redirect("admin:index")

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: "type[admin.ModelAdmin[Any]] | None" = None,
        **options: Any,
    ) -> None:
        if admin_class is not None and issubclass(admin_class, TenantAdmin):
            super().register(model_or_iterable, admin_class, **options)
