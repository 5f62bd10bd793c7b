from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Replace

from stellapromote.accounts.models.tenant import Team, Tenant
from stellapromote.accounts.scopes import GRANTED_BY_NAME, LIMITED_ROLES, ROLES, STORED_ROLES, is_limited, role_of
from stellapromote.ids import new_id
from stellapromote.recorded_rows import RecordedRow

SCOPE_CHOICES = [(scope, scope) for scope in GRANTED_BY_NAME]
ROLE_CHOICES = [
    (stored, role_of(stored) if stored in ROLES else f"{role_of(stored)}, limited") for stored in STORED_ROLES
]


class Grant(RecordedRow):
    """A right with its time and its giver; never changed except to end or confirm it (domain.md §5).

    ``granted_by`` is empty for grants made on the command line by the platform owner. ``granted_behind``: the owners of
    the machine that granted it and the issuer of its token, whose grant it is as well.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    granted_at = models.DateTimeField()
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    granted_behind = ArrayField(models.UUIDField(), default=list, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        abstract = True


class GrantedVia(models.TextChoices):
    """Where a grant was made. The command line and directories are believed; what a page gave may be confirmed."""

    COMMAND = "command"
    PAGE = "page"
    DIRECTORY = "directory"


class MemberGrant(Grant):
    """A grant to an account as a member of a tenant.

    ``invitation``: it was accepted with this one. It stands beside ``granted_via`` page, which an earlier version
    judges in the same way.
    """

    granted_via = models.CharField(max_length=9, choices=GrantedVia)
    invitation = models.ForeignKey(
        "accounts.Invitation", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True

    @property
    def made_by(self) -> str:
        """Where it was made, as people read it: command, page, directory or invitation."""
        return str(self.granted_via) if self.invitation_id is None else "invitation"


class Confirmable(MemberGrant):
    """A right that another person may vouch for, once (domain.md §5, vouched for).

    ``granted_under`` and ``confirmed_under``: the role grant by which the granter could give it, and the confirmer
    could confirm it. ``confirmed_by`` is empty for a confirmation on the command line.
    """

    granted_under = models.ForeignKey(
        "accounts.RoleGrant", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    confirmed_at = models.DateTimeField(null=True, blank=True)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    confirmed_under = models.ForeignKey(
        "accounts.RoleGrant", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    class Meta:
        abstract = True

    @property
    def is_vouched_for(self) -> bool:
        return self.granted_via != GrantedVia.PAGE or self.confirmed_at is not None

    @property
    def names_right(self) -> tuple[str, str]:
        """The kind, role, team or scope, and what it is called."""
        raise NotImplementedError

    @property
    def as_audited(self) -> dict[str, Any]:
        """The right as events tell it."""
        kind, name = self.names_right
        return {kind: name}


def _granted_via(name: str) -> list[models.CheckConstraint]:
    """A grant of a page names its giver; grants of the command line and of directories name no person."""
    return [
        models.CheckConstraint(
            condition=Q(granted_via=GrantedVia.PAGE, granted_by__isnull=False)
            | Q(granted_via__in=[GrantedVia.COMMAND, GrantedVia.DIRECTORY], granted_by=None),
            name=f"{name}_granted_via",
        )
    ]


def _confirmed(name: str) -> list[models.CheckConstraint]:
    """The confirmation is by another person than the giver and the holder; a person confirms under a role of theirs."""
    return [
        models.CheckConstraint(
            condition=Q(confirmed_by=None, confirmed_under=None)
            | (
                Q(confirmed_at__isnull=False, confirmed_under__isnull=False, granted_by__isnull=False)
                & ~Q(confirmed_by=F("user"))
                & ~Q(confirmed_by=F("granted_by"))
            ),
            name=f"{name}_confirmed_by_another",
        ),
        models.CheckConstraint(
            condition=Q(confirmed_at=None) | Q(confirmed_at__gte=F("granted_at"), granted_via=GrantedVia.PAGE),
            name=f"{name}_confirmed_after_start",
        ),
    ]


class Membership(MemberGrant):
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="memberships")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user"], condition=Q(ended_at=None), name="membership_one_live_per_person"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="membership_ends_after_start"
            ),
            *_granted_via("membership"),
        ]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="membership_live_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.tenant_id}"


class RoleGrant(Confirmable):
    """No account grants a role to itself: the database refuses it too (domain.md §5).

    One that counts for ``products`` alone has its role under another name (LIMITED_ROLES): a process of a version that
    knows no such limit finds no right there (docs/adr/0242).
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="role_grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=20, choices=ROLE_CHOICES)
    products = ArrayField(models.CharField(max_length=63), default=list, db_default=[], blank=True)

    class Meta:
        constraints = [
            # The second says all of the first, for which the verification of a version before looks.
            models.UniqueConstraint(
                fields=["tenant", "user", "role"], condition=Q(ended_at=None), name="role_grant_one_live"
            ),
            models.UniqueConstraint(
                "tenant",
                "user",
                Replace("role", Value("product_"), Value("")),
                condition=Q(ended_at=None),
                name="role_grant_one_live_of_role",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="role_grant_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(role__in=list(LIMITED_ROLES.values())) & ~Q(products=[])
                | Q(role__in=list(ROLES), products=[]),
                name="role_grant_known_role",
            ),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("user")), name="role_grant_not_to_oneself"
            ),
            *_granted_via("role_grant"),
            *_confirmed("role_grant"),
        ]
        indexes = [
            models.Index(fields=["user"], condition=Q(ended_at=None), name="role_grant_live_by_user"),
            models.Index(fields=["tenant"], condition=Q(confirmed_under__isnull=False), name="role_grant_confirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.name}"

    @property
    def name(self) -> str:
        """The role, limited to products or not."""
        return role_of(self.role)

    @property
    def limit(self) -> list[str] | None:
        """The products for which alone the role counts; None: all of them."""
        return self.products if is_limited(self.role) else None

    @property
    def label(self) -> str:
        """The role, with the products for which alone it counts."""
        return f"{self.name} for {', '.join(self.products)}" if self.products else self.name

    @property
    def names_right(self) -> tuple[str, str]:
        return "role", self.name

    @property
    def as_audited(self) -> dict[str, Any]:
        return super().as_audited | ({"products": self.products} if self.products else {})


class TeamGrant(Confirmable):
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="team_grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="team_grants")
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="grants")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], condition=Q(ended_at=None), name="team_grant_one_live"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="team_grant_ends_after_start"
            ),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("user")), name="team_grant_not_to_oneself"
            ),
            *_granted_via("team_grant"),
            *_confirmed("team_grant"),
        ]
        indexes = [
            models.Index(fields=["user"], condition=Q(ended_at=None), name="team_grant_live_by_user"),
            models.Index(fields=["tenant"], condition=Q(confirmed_under__isnull=False), name="team_grant_confirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: team {self.team_id}"

    @property
    def names_right(self) -> tuple[str, str]:
        return "team", self.team.slug


class ScopeGrant(Confirmable):
    """A right that no role has, given to one person by name: promotion:override (domain.md §6)."""

    GUARDS: ClassVar[frozenset[str]] = frozenset({"user", "scope"})
    NO_GUARDS: ClassVar[Mapping[str, str]] = {
        "id": "never changes",
        "tenant": "never changes",
        "granted_at": "a mark",
        "granted_by": "a mark",
        "granted_behind": "a mark",
        "granted_via": "never changes",
        "invitation": "never changes",
        "granted_under": "never changes",
        "confirmed_at": "another person vouches for it",
        "confirmed_by": "another person vouches for it",
        "confirmed_under": "another person vouches for it",
        "reason": "only shown",
        "ended_at": "the right ends then",
        "ended_by": "a mark",
    }

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="scope_grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="scope_grants")
    scope = models.CharField(max_length=40, choices=SCOPE_CHOICES)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "scope"], condition=Q(ended_at=None), name="scope_grant_one_live"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="scope_grant_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(scope__in=list(GRANTED_BY_NAME)), name="scope_grant_known_scope"),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("user")), name="scope_grant_not_to_oneself"
            ),
            *_granted_via("scope_grant"),
            *_confirmed("scope_grant"),
        ]
        indexes = [
            models.Index(fields=["user"], condition=Q(ended_at=None), name="scope_grant_live_by_user"),
            models.Index(fields=["tenant"], condition=Q(confirmed_under__isnull=False), name="scope_grant_confirmed"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.scope}"

    @property
    def names_right(self) -> tuple[str, str]:
        return "scope", self.scope
