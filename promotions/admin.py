"""Products and the people of teams, changed by their actions; promotions, votes, decisions and evidence, read-only:
nothing of these is changed by hand (ui.md, /admin)."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from policies.proposing_admin import ProposingAdmin
from promotions.models import (
    Confirmation,
    DecisionRecord,
    Deployment,
    EvidenceBundle,
    EvidenceDocument,
    EvidencePacket,
    Feed,
    OutboxEvent,
    Override,
    OverrideReview,
    Promotion,
    Release,
    TrustedKey,
    Vote,
)
from promotions.pages.admin_forms import ProductAdminForm, TeamMemberForm
from promotions.voting.blindness import blind_to, can_see_votes
from stellapromote.accounts.models import Product, TeamGrant
from stellapromote.accounts.scopes import AUDIT_READ
from stellapromote.audit.models import AuditEvent
from stellapromote.web.admin_site import ActionAdmin, ReadOnlyAdmin, administering


class TellingOfVotesAdmin(ReadOnlyAdmin):
    """Rows of promotions whose votes a blind approval policy hides from the administrator are left out."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        by, rows = administering(request), super().get_queryset(request)
        return rows if by is None else rows.exclude(promotion_id__in=blind_to(by).values("pk"))


@admin.register(Product)
class ProductAdmin(ProposingAdmin):
    form = ProductAdminForm
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "slug",
                    "display_name",
                    "description",
                    "image_repositories",
                    "owner_teams",
                    "path",
                    "seen",
                )
            },
        ),
    )
    archived_fields = ("slug", "display_name", "description", "owner_teams", "path", "archived_at")
    list_display = ("slug", "display_name", "created_at", "archived_at")
    search_fields = ("slug", "display_name")
    ordering = ("slug",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.archived_at is None)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.archived_at is not None:
            return ((None, {"fields": self.archived_fields}),)
        return super().get_fieldsets(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def view_on_site(self, product: Product) -> str:
        """The page where it is archived, with its promotions and proposals."""
        return reverse("product", args=[product.slug])


@admin.register(TeamGrant)
class TeamGrantAdmin(ActionAdmin):
    """A grant is given here, and ended and confirmed on the page of its person."""

    form = TeamMemberForm
    fieldsets = ((None, {"fields": ("username", "team", "reason")}),)
    given_fields = (
        "user", "team", "granted_at", "granted_by", "reason", "ended_at", "ended_by",
        "granted_via", "confirmed_at", "confirmed_by",
    )  # fmt: skip
    list_display = ("user", "team", "granted_at", "granted_by", "reason", "ended_at")
    list_select_related = ("user", "team", "granted_by")
    search_fields = ("user__username", "team__slug")
    ordering = ("-granted_at",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return super().get_fieldsets(request, obj) if obj is None else ((None, {"fields": self.given_fields}),)

    def view_on_site(self, grant: TeamGrant) -> str:
        """The page of the person."""
        return reverse("settings_member", args=[grant.user_id])


@admin.register(Release)
class ReleaseAdmin(ReadOnlyAdmin):
    list_display = ("name", "product", "status", "created_by_name", "created_at")
    search_fields = ("name",)
    ordering = ("-created_at",)


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    list_display = ("number", "release", "target_environment", "status", "requested_by_name", "requested_at")
    list_filter = ("status",)
    list_select_related = ("release", "target_environment")
    exclude = ("requirements",)
    ordering = ("-number",)

    def get_exclude(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """The rows without those that reveal votes hidden from the administrator."""
        by = administering(request)
        sees = obj is None or (by is not None and can_see_votes(by, obj))
        return self.exclude if sees else (*self.exclude, "gates", "open_voters")


@admin.register(Vote)
class VoteAdmin(TellingOfVotesAdmin):
    list_display = ("promotion", "verdict", "username", "at", "ended_as")
    list_select_related = ("promotion",)
    exclude = ("address",)
    ordering = ("-at",)


@admin.register(Confirmation)
class ConfirmationAdmin(TellingOfVotesAdmin):
    list_display = ("promotion", "gate", "username", "at", "ended_as")
    list_select_related = ("promotion",)
    exclude = ("address",)
    ordering = ("-at",)


@admin.register(Override)
class OverrideAdmin(ReadOnlyAdmin):
    list_display = ("promotion", "gate", "username", "ticket", "recorded_at", "expires_at")
    list_select_related = ("promotion",)
    exclude = ("address", "envelope")
    ordering = ("-recorded_at",)


@admin.register(OverrideReview)
class OverrideReviewAdmin(ReadOnlyAdmin):
    list_display = ("override", "verdict", "username", "at")
    list_select_related = ("override",)
    ordering = ("-at",)


@admin.register(DecisionRecord)
class DecisionRecordAdmin(TellingOfVotesAdmin):
    list_display = ("promotion", "sequence", "decision", "evaluated_at", "determinism_hash")
    list_select_related = ("promotion",)
    exclude = ("input", "document")
    readonly_fields = ("record",)
    ordering = ("-evaluated_at",)

    @admin.display(description="Record")
    def record(self, row: DecisionRecord) -> Any:
        """The stored bytes, as text."""
        return bytes(row.document).decode()


@admin.register(EvidencePacket)
class EvidencePacketAdmin(TellingOfVotesAdmin):
    list_display = ("promotion", "type", "generated_at", "content_hash")
    list_select_related = ("promotion",)
    exclude = ("document", "envelope")
    readonly_fields = ("packet",)
    ordering = ("-generated_at",)

    @admin.display(description="Packet")
    def packet(self, row: EvidencePacket) -> Any:
        """The signed bytes, as text."""
        return bytes(row.document).decode()


@admin.register(EvidenceDocument)
class EvidenceDocumentAdmin(ReadOnlyAdmin):
    list_display = ("artifact_digest", "kind", "format", "producer", "uploaded_by_name", "uploaded_at")
    list_filter = ("kind", "format")
    exclude = ("token_id",)
    ordering = ("-uploaded_at",)


@admin.register(EvidenceBundle)
class EvidenceBundleAdmin(ReadOnlyAdmin):
    list_display = ("content_id", "taken_at")
    ordering = ("-taken_at",)


@admin.register(Feed)
class FeedAdmin(ReadOnlyAdmin):
    list_display = ("kind", "published_at", "entry_count", "uploaded_by_name", "uploaded_at")
    exclude = ("token_id",)
    ordering = ("-uploaded_at",)


@admin.register(TrustedKey)
class TrustedKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "key_id", "algorithm", "added_by_name", "added_at", "revoked_at")
    ordering = ("-added_at",)


@admin.register(Deployment)
class DeploymentAdmin(ReadOnlyAdmin):
    list_display = ("promotion", "attempt", "status", "reported_by_name", "reported_at")
    list_select_related = ("promotion",)
    ordering = ("-reported_at",)


@admin.register(OutboxEvent)
class OutboxEventAdmin(TellingOfVotesAdmin):
    list_display = ("name", "promotion", "created_at")
    list_select_related = ("promotion",)
    ordering = ("-created_at",)


@admin.register(AuditEvent)
class AuditEventAdmin(TellingOfVotesAdmin):
    """For administrators who are auditors too: the audit log is read with audit:read, here as everywhere (ADR 146)."""

    scope = AUDIT_READ
    list_display = ("timestamp", "action", "actor_name", "resource", "resource_id")
    exclude = ("salt", "event_digest")
    ordering = ("-timestamp",)
