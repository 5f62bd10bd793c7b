from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow

LIFE = timedelta(days=14)
"""The time for which a proposal waits for a second person (domain.md §5)."""

TITLES = {
    "environment.update": "Change environment %(name)s",
    "environment.archive": "Archive environment %(name)s",
    "environment.unarchive": "Put environment %(name)s back into the order",
    "environment.delete": "Delete environment %(name)s",
    "freeze_window.update": "Change the freeze %(name)s",
    "freeze_window.clear": "Lift the freeze %(name)s",
    "approval_policy.update": "Change approval policy %(name)s",
    "promotion_policy.publish": "Publish promotion policy %(name)s",
    "trusted_key.add": "Trust the key %(name)s",
    "feed.upload": "Use another %(name)s",
    "override_right.grant": "Let %(name)s override gates",
    "image_repository.share": "Share images of %(name)s",
    "image_repository.free": "Free images of %(name)s",
    "product.create": "Create product %(name)s",
    "product.update": "Change product %(name)s",
    "sign_in_settings.update": "Change the sign-in settings of %(name)s",
}
"""The effect of each kind of edit, for its reader."""


class ProposalQuerySet(models.QuerySet["Proposal"]):
    def of(self, tenant_id: UUID) -> Self:
        """Without what their actions are called with, which may be a whole feed."""
        return self.filter(tenant_id=tenant_id).defer("arguments")

    def open(self) -> Self:
        """Proposals that wait for a second person; one past its end stays open until an action or the worker reads
        it."""
        return self.filter(state=Proposal.State.OPEN)

    def about(self, resource_id: UUID, environment: str | None = None) -> Self:
        """Open ones that edit this object, or loosen a guard of the environment of this name; newest first."""
        here = Q(resource_id=str(resource_id)) if environment is None else Q(guards__contains=[environment])
        return self.open().filter(here | Q(resource_id=str(resource_id))).newest_first()

    def newest_first(self) -> Self:
        return self.order_by("-proposed_at", "-id")


class Proposal(RecordedRow):
    """An edit that loosens a guard of a protected environment and waits for a second person (domain.md §5).

    ``kind`` names the action, ``arguments`` are its arguments at the confirmation. ``tag`` is the ETag of the edited
    object: an object that changed since is not edited. ``weakens`` are the sentences that the second person reads,
    ``guards`` the protected environments they are about, ``policies`` the versions of policies that the edit names
    (policies/weakening_edits.py, NamedPolicy). ``behind``: the accounts that cannot confirm it: those behind the author
    and behind the published text, and the accounts that brought those in. A trigger allows no change but its end.
    ``ended_by_username`` is the system user of a command.
    """

    NOT_RECORDED: ClassVar[Mapping[str, str]] = {
        "arguments": "digest is over them, and is compared at the confirmation"
    }

    class State(models.TextChoices):
        OPEN = "open"
        CONFIRMED = "confirmed"
        WITHDRAWN = "withdrawn"
        EXPIRED = "expired"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=40)
    resource = models.CharField(max_length=40)
    resource_id = models.CharField(max_length=127, blank=True)
    name = models.CharField(max_length=200)
    arguments = models.JSONField()
    tag = models.CharField(max_length=127, blank=True)
    weakens = models.JSONField()
    guards = ArrayField(models.CharField(max_length=63))
    policies = models.JSONField(default=list, db_default=[])
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    digest = models.CharField(max_length=71)
    proposed_at = models.DateTimeField()
    proposed_by_id = models.UUIDField()
    proposed_by_username = models.CharField(max_length=127)
    proposed_by_name = models.CharField(max_length=200)
    behind = ArrayField(models.UUIDField())
    token_issuer_id = models.UUIDField(null=True)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.OPEN)
    ended_at = models.DateTimeField(null=True)
    ended_by_id = models.UUIDField(null=True)
    ended_by_username = models.CharField(max_length=127, blank=True)
    ended_by_name = models.CharField(max_length=200, blank=True)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="open", ended_at=None)
                | Q(state__in=["confirmed", "withdrawn", "expired"], ended_at__isnull=False),
                name="proposal_ended_or_open",
            ),
            models.CheckConstraint(
                condition=~Q(state="confirmed") | Q(ended_by_id=None) | ~Q(ended_by_id=models.F("proposed_by_id")),
                name="proposal_second_person",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-proposed_at", "-id"], name="proposal_newest"),
            models.Index(fields=["tenant", "expires_at"], condition=Q(state="open"), name="proposal_open"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def title(self) -> str:
        return TITLES[self.kind] % {"name": self.name}
