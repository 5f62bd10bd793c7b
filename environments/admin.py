"""Environments and freezes in the Django admin, read-only. They change on their pages, which know what runs there."""

from django.contrib import admin
from django.urls import reverse

from environments.models import Environment, FreezeWindow
from stellapromote.web.admin_site import ReadOnlyAdmin


@admin.register(Environment)
class EnvironmentAdmin(ReadOnlyAdmin):
    fields = (
        "name",
        "display_name",
        "order_index",
        "is_production",
        "protected",
        "required_approvals",
        "require_separation_of_duties",
        "promotion_policy",
        "approval_policy_names",
        "other_products",
        "auto_promote_from",
        "auto_promote_hold",
        "exclusive",
        "require_manifest_report",
        "required_on_every_path",
        "config",
        "archived_at",
        "created_at",
        "updated_at",
        "version",
    )
    readonly_fields = ("approval_policy_names",)
    list_display = ("name", "display_name", "order_index", "is_production", "required_approvals", "archived_at")
    search_fields = ("name", "display_name")
    ordering = ("order_index", "name")

    @admin.display(description="approval policies")
    def approval_policy_names(self, environment: Environment) -> str:
        return ", ".join(
            f"{policy.name} for {', '.join(products)}" if products else policy.name
            for policy, products in environment.entries
        )

    def view_on_site(self, environment: Environment) -> str:
        """The page where it is changed, moved, frozen and archived."""
        return reverse("environment", args=[environment.pk])


@admin.register(FreezeWindow)
class FreezeWindowAdmin(ReadOnlyAdmin):
    fields = (
        "environment",
        "products",
        "name",
        "reason",
        "starts_at",
        "ends_at",
        "timezone",
        "exceptions",
        "created_by_name",
        "created_at",
        "changed_at",
        "cleared_at",
        "cleared_by_name",
        "clear_reason",
        "version",
    )
    list_display = ("name", "environment", "starts_at", "ends_at", "created_by_name", "cleared_at")
    list_select_related = ("environment",)
    search_fields = ("name", "reason")
    ordering = ("-starts_at", "-id")

    def view_on_site(self, window: FreezeWindow) -> str:
        """The page where it is changed and lifted."""
        return (
            reverse("environment", args=[window.environment_id]) if window.environment_id else reverse("environments")
        )
