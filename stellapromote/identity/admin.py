"""Accounts, grants and tokens of the tenant, read-only, and teams. What is read-only changes on its page, which asks
for a reason where a right changes."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from stellapromote.accounts.models import (
    ApiToken,
    EndedSession,
    HeldAccount,
    ImageRepository,
    Invitation,
    Membership,
    OwnersEdit,
    RoleGrant,
    ScopeGrant,
    ServiceAccount,
    ServiceOwner,
    SignInSettings,
    Team,
    TeamGrant,
    User,
)
from stellapromote.identity.admin_forms import TeamAdminForm
from stellapromote.web.admin_site import ActionAdmin, ReadOnlyAdmin, ReadOnlyInline, administering

_GRANT = ("granted_at", "granted_by", "reason", "ended_at", "ended_by")
_CONFIRMED = ("granted_via", "confirmed_at", "confirmed_by")


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    """People who are members now, and services. E-mail and password are the person's own (domain.md §5)."""

    fields = ("username", "display_name", "kind", "is_active", "date_joined")
    list_display = ("username", "display_name", "kind", "is_active")
    list_filter = ("kind", "is_active")
    search_fields = ("username", "display_name")
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        actor = administering(request)
        if actor is None:
            return User.objects.none()
        member = Membership.objects.filter(user=OuterRef("pk"), tenant_id=actor.tenant, ended_at=None)
        return User.objects.filter(Q(Exists(member)) | Q(service__tenant_id=actor.tenant)).order_by("username")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    fields = ("user", *_GRANT)
    list_display = ("user", "granted_at", "granted_by", "ended_at")
    list_select_related = ("user", "granted_by")
    search_fields = ("user__username",)
    ordering = ("-granted_at",)


@admin.register(ScopeGrant)
class ScopeGrantAdmin(ReadOnlyAdmin):
    fields = ("user", "scope", *_GRANT, *_CONFIRMED)
    list_display = ("user", "scope", "granted_at", "granted_by", "reason", "ended_at")
    list_select_related = ("user", "granted_by")
    list_filter = ("scope",)
    search_fields = ("user__username",)
    ordering = ("-granted_at",)


@admin.register(RoleGrant)
class RoleGrantAdmin(ReadOnlyAdmin):
    fields = ("user", "role", "products", *_GRANT, *_CONFIRMED)
    list_display = ("user", "role", "products", "granted_at", "granted_by", "reason", "ended_at")
    list_select_related = ("user", "granted_by")
    list_filter = ("role",)
    search_fields = ("user__username",)
    ordering = ("-granted_at",)


class TeamMembersInline(ReadOnlyInline):
    model = TeamGrant
    fields = ("user", "granted_at", "granted_by", "reason")
    readonly_fields = fields
    ordering = ("user__username",)
    verbose_name_plural = "members"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(ended_at=None).select_related("user", "granted_by")


@admin.register(Team)
class TeamAdmin(ActionAdmin):
    form = TeamAdminForm
    fieldsets = ((None, {"fields": ("slug", "name", "seen")}),)
    inlines = (TeamMembersInline,)
    list_display = ("slug", "name")
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def view_on_site(self, team: Team) -> str:
        """The page where it is deleted."""
        return reverse("settings_team", args=[team.slug])


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Never the digest of the link."""

    fields = (
        "username", "email", "display_name", "roles", "products", "created_at", "created_by", "expires_at",
        "ended_at", "ended_as", "ended_by",
    )  # fmt: skip
    list_display = ("username", "created_by", "created_at", "expires_at", "ended_as")
    list_select_related = ("created_by",)
    list_filter = ("ended_as",)
    search_fields = ("username",)
    ordering = ("-created_at",)


@admin.register(HeldAccount)
class HeldAccountAdmin(ReadOnlyAdmin):
    """Without the holders, who may be people of another tenant."""

    fields = ("user", "because", "held_at", "confirmed_at", "confirmed_by")
    list_display = ("user", "because", "held_at", "confirmed_at", "confirmed_by")
    list_select_related = ("user", "confirmed_by")
    search_fields = ("user__username",)
    ordering = ("-held_at",)


@admin.register(ImageRepository)
class ImageRepositoryAdmin(ReadOnlyAdmin):
    list_display = ("name", "product", "is_shared", "created_at")
    list_filter = ("is_shared",)
    list_select_related = ("product",)
    search_fields = ("name",)


@admin.register(OwnersEdit)
class OwnersEditAdmin(ReadOnlyAdmin):
    list_display = ("at", "product", "by", "owner_teams")
    list_select_related = ("product", "by")
    ordering = ("-at",)


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ReadOnlyAdmin):
    fields = ("name", "user", "scopes", "product_scopes", "products", "created_at")
    list_display = ("name", "user", "created_at")
    list_select_related = ("user",)
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(ServiceOwner)
class ServiceOwnerAdmin(ReadOnlyAdmin):
    tenant_path = "service__tenant"
    fields = ("service", "owner", *_GRANT)
    list_display = ("service", "owner", "granted_at", "ended_at")
    list_select_related = ("service", "owner")
    ordering = ("-granted_at",)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Never the digest of the secret."""

    fields = (
        "name", "public_id", "user", "issuer", "scopes",
        "created_at", "expires_at", "last_used_at", "revoked_at", "revoked_by",
    )  # fmt: skip
    list_display = ("name", "public_id", "user", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "public_id", "user__username")
    ordering = ("-created_at",)


@admin.register(EndedSession)
class EndedSessionAdmin(ReadOnlyAdmin):
    fields = ("sign_in_id", "ended_at", "ended_by")
    list_display = ("sign_in_id", "ended_at", "ended_by")
    list_select_related = ("ended_by",)
    ordering = ("-ended_at",)


@admin.register(SignInSettings)
class SignInSettingsAdmin(ReadOnlyAdmin):
    fields = ("second_factor_from",)
    list_display = ("__str__", "second_factor_from")
