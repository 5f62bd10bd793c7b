from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from stellapromote.accounts.models.tenant import Tenant
from stellapromote.accounts.scopes import LIMITED_ROLES, STORED_ROLES, role_of
from stellapromote.ids import new_id
from stellapromote.patterns import USERNAME
from stellapromote.recorded_rows import RecordedRow


class Invitation(RecordedRow):
    """A membership with roles and teams that a person accepts by a one-time link (access.md, People).

    ``created_behind``: the other people who made it (the issuer of the token used). ``shown_to``: the people to whom
    the present link was shown; none, where it goes by mail alone. Of a link only the sha256 is stored; there is none
    yet while a message waits. ``teams`` are ids. ``roles`` have the names under which grants store them, and those that
    are limited count for ``products``. ``made_account``: the link set the first password of a new account.
    """

    class End(models.TextChoices):
        ACCEPTED = "accepted"
        EXPIRED = "expired"
        WITHDRAWN = "withdrawn"

    GUARDS: ClassVar[frozenset[str]] = frozenset()
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "username": "never changes",
        "email": "never changes",
        "display_name": "never changes",
        "roles": "become grants of the inviter, vouched for or not",
        "products": "become grants of the inviter, vouched for or not",
        "teams": "become grants of the inviter, vouched for or not",
        "created_at": "a mark",
        "created_by": "a mark",
        "created_behind": "a mark",
        "granted_under": "never changes",
        "link_digest": "a credential of its holder",
        "shown_to": "the account is theirs until another person confirms it",
        "expires_at": "the invitation ends then",
        "ended_at": "a mark",
        "ended_as": "a mark",
        "ended_by": "a mark",
        "made_account": "a mark",
    }

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="invitations")
    username = models.CharField(max_length=63)
    email = models.EmailField(blank=True)
    display_name = models.CharField(max_length=200)
    roles = ArrayField(models.CharField(max_length=20))
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[], blank=True)
    teams = ArrayField(models.UUIDField(), default=list, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_behind = ArrayField(models.UUIDField(), default=list, blank=True)
    granted_under = models.ForeignKey("accounts.RoleGrant", on_delete=models.PROTECT, related_name="+", db_index=False)
    link_digest = models.BinaryField(null=True)
    shown_to = ArrayField(models.UUIDField(), default=list, blank=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_as = models.CharField(max_length=9, choices=End, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    made_account = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "username"], condition=Q(ended_at=None), name="invitation_one_open"
            ),
            models.UniqueConstraint(fields=["link_digest"], name="invitation_link_unique"),
            models.CheckConstraint(condition=Q(username__regex=USERNAME), name="invitation_for_a_person"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_expires_later"),
            models.CheckConstraint(
                condition=Q(roles__contained_by=list(STORED_ROLES)) & ~Q(roles=[]), name="invitation_known_roles"
            ),
            models.CheckConstraint(
                condition=Q(roles__overlap=list(LIMITED_ROLES.values())) & ~Q(products=[])
                | ~Q(roles__overlap=list(LIMITED_ROLES.values())) & Q(products=[]),
                name="invitation_products_for_roles",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None, ended_as="", ended_by=None, made_account=False)
                | Q(ended_at__gte=F("created_at"), ended_as="accepted", ended_by__isnull=False)
                | Q(ended_at__gte=F("created_at"), ended_as__in=["expired", "withdrawn"], made_account=False),
                name="invitation_ends_once",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="invitation_newest"),
            models.Index(fields=["ended_by", "tenant"], condition=Q(made_account=True), name="invitation_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.username} into {self.tenant_id}"

    @property
    def role_names(self) -> list[str]:
        """The roles, limited to products or not."""
        return sorted(map(role_of, self.roles))
