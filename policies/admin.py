"""Policies in the Django admin: edited by the API's own actions, with their versions read-only (ui.md, /admin)."""

import json
from typing import Any

import orjson
from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from policies.forms import ApprovalPolicyForm, PromotionPolicyForm
from policies.models import (
    ApprovalPolicy,
    ApprovalPolicyVersion,
    PromotionPolicy,
    PromotionPolicyVersion,
    Proposal,
    WeakeningEdit,
)
from policies.product_voters import MOST_TOLD, ProductVoters
from policies.proposing_admin import ProposingAdmin
from stellapromote.counted import counted
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.web.admin_site import ReadOnlyAdmin, ReadOnlyInline


class VersionsInline(ReadOnlyInline):
    """The versions of a policy, newest first."""

    ordering = ("-version",)
    verbose_name_plural = "versions"

    @admin.display(description="Says")
    def says(self, version: ApprovalPolicyVersion | PromotionPolicyVersion) -> SafeString:
        """The document as it is stored, folded."""
        return format_html("<details><summary>Document</summary><pre>{}</pre></details>", _pretty(version.canonical))


class ApprovalPolicyVersionsInline(VersionsInline):
    model = ApprovalPolicyVersion
    fields = ("version", "created_at", "created_by", "digest", "says")
    readonly_fields = fields


class PromotionPolicyVersionsInline(VersionsInline):
    model = PromotionPolicyVersion
    fields = ("version", "published_at", "published_by", "digest", "says")
    readonly_fields = fields


class PolicyAdmin(ProposingAdmin):
    search_fields = ("name",)
    ordering = ("name",)
    list_select_related = ("current",)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    @admin.display(description="Version")
    def version(self, policy: ApprovalPolicy | PromotionPolicy) -> str:
        """The number of the version in force."""
        return str(policy.current.version if policy.current else "none published")


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(PolicyAdmin):
    form = ApprovalPolicyForm
    list_display = ("name", "version", "enabled", "updated_at", "retired_at")
    list_filter = ("enabled",)
    inlines = (ApprovalPolicyVersionsInline,)
    fieldsets = (
        (None, {"fields": ("name", "description", "rules", "seen")}),
        (
            "Separation of duties",
            {
                "description": "The requester never votes; no setting changes that.",
                "fields": (
                    "exclude_release_creator",
                    "exclude_commit_authors",
                    "exclude_policy_editor",
                    "exclude_deployer",
                ),
            },
        ),
        ("Votes", {"fields": ("comment_required", "require_subject_digest", "blind")}),
    )
    retired_fields = ("name", "retired_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or obj.retired_at is None)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and obj.retired_at is not None:
            return ((None, {"fields": self.retired_fields}),)
        return super().get_fieldsets(request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if form.proposal is None:
            failing = ProductVoters(obj.tenant_id, DATABASE_CLOCK.now()).failing([orjson.loads(obj.current.canonical)])
            if failing:
                why = " ".join(each.message for each in failing[:MOST_TOLD])
                messages.warning(request, f"It fails for {counted(len(failing), 'product')}. {why}")

    def view_on_site(self, policy: ApprovalPolicy) -> str:
        """The page where it is disabled, enabled, retired, compared, and checked for who could approve."""
        return reverse("approval_policy", args=[policy.pk])


@admin.register(PromotionPolicy)
class PromotionPolicyAdmin(PolicyAdmin):
    form = PromotionPolicyForm
    list_display = ("name", "version", "has_draft", "updated_at")
    inlines = (PromotionPolicyVersionsInline,)
    fieldsets = ((None, {"fields": ("name", "document", "seen")}),)

    @admin.display(description="Draft", boolean=True)
    def has_draft(self, policy: PromotionPolicy) -> bool:
        """Whether something waits to be published."""
        return policy.draft is not None

    def view_on_site(self, policy: PromotionPolicy) -> str:
        """The page where its draft and versions are compared and published."""
        return reverse("promotion_policy", args=[policy.name])


@admin.register(Proposal)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("proposed_at", "kind", "name", "proposed_by_username", "state", "ended_by_username")
    list_filter = ("state",)
    ordering = ("-proposed_at",)

    def view_on_site(self, proposal: Proposal) -> str:
        """The page where it is confirmed or withdrawn."""
        return reverse("proposal", args=[proposal.pk])


@admin.register(WeakeningEdit)
class WeakeningEditAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor_username", "policy_name", "what", "confirmed_by_username")
    ordering = ("-at",)


def _pretty(canonical: bytes | memoryview) -> str:
    return json.dumps(orjson.loads(canonical), indent=2, ensure_ascii=False)
