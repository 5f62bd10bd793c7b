from typing import Final, TypedDict

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from promotions.models.promotion import Promotion
from stellapromote.accounts.models import Tenant
from stellapromote.ids import new_id


class ActTexts(TypedDict, total=False):
    """The texts that a person writes with an approval or a confirmation, each in the column of its name.

    Forms and bodies pass them to the actions together; the audit event repeats them."""

    comment: str


ACT_TEXTS: Final = tuple(ActTexts.__annotations__)


class HumanAct(models.Model):
    """The act of a person about a promotion, with everything the record must remember of the person (domain.md §5).

    Nothing here follows later changes of the account. ``tenant`` and ``requester_id`` repeat the promotion's by
    composite foreign key (migration 0028) so that the database itself refuses the requester's own act.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    promotion = models.ForeignKey(
        Promotion, on_delete=models.PROTECT, related_name="%(class)ss", db_index=False, db_constraint=False
    )
    requester_id = models.UUIDField()
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    username = models.CharField(max_length=127)
    display_name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20))
    teams = ArrayField(models.CharField(max_length=63))
    auth_method = models.CharField(max_length=7)
    second_factor = models.BooleanField(default=False, db_default=False)
    token_id = models.UUIDField(null=True)
    token_issuer_id = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    comment = models.CharField(max_length=2000, blank=True)
    subject_digest = models.CharField(max_length=71)
    subject_binding = models.CharField(max_length=8)
    at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    ended_as = models.CharField(max_length=9, blank=True)
    ended_reason = models.CharField(max_length=40, blank=True)

    class Meta:
        abstract = True


class Vote(HumanAct):
    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"

    verdict = models.CharField(max_length=7, choices=Verdict.choices)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "voter"], condition=Q(ended_at=None), name="vote_one_live_per_person"
            ),
            models.CheckConstraint(condition=~Q(voter=F("requester_id")), name="vote_not_by_requester"),
            models.CheckConstraint(condition=Q(verdict__in=["approve", "reject"]), name="vote_verdict_known"),
            models.CheckConstraint(condition=~Q(verdict="reject") | ~Q(comment=""), name="vote_reject_has_reason"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_as="")
                | Q(ended_at__isnull=False, ended_as__in=["withdrawn", "replaced", "void"]),
                name="vote_ended_says_how",
            ),
            models.CheckConstraint(
                condition=Q(subject_binding__in=["explicit", "implicit"]), name="vote_binding_known"
            ),
        ]
        indexes = [models.Index(fields=["promotion", "at", "id"], name="vote_in_order")]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.username}"


class Confirmation(HumanAct):
    """A named person's confirmation of one manual gate."""

    gate = models.CharField(max_length=63)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["promotion", "gate", "voter"],
                condition=Q(ended_at=None),
                name="confirmation_one_live_per_person",
            ),
            models.CheckConstraint(condition=~Q(voter=F("requester_id")), name="confirmation_not_by_requester"),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_as="") | Q(ended_at__isnull=False, ended_as__in=["withdrawn", "void"]),
                name="confirmation_ended_says_how",
            ),
            models.CheckConstraint(
                condition=Q(subject_binding__in=["explicit", "implicit"]), name="confirmation_binding_known"
            ),
        ]
        indexes = [models.Index(fields=["promotion", "at", "id"], name="confirmation_in_order")]

    def __str__(self) -> str:
        return f"{self.gate} by {self.username}"
