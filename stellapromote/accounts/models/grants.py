from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from stellapromote.accounts.models.tenant import Team, Tenant
from stellapromote.accounts.scopes import GRANTED_BY_NAME, ROLES
from stellapromote.ids import new_id

SCOPE_CHOICES = [(scope, scope) for scope in GRANTED_BY_NAME]
ROLE_CHOICES = [(role, role) for role in ROLES]


class Grant(models.Model):
    """A right given at a time by somebody; never changed except to end it (domain.md §5).

    ``granted_by`` is empty for grants made on the command line by the platform owner. ``granted_behind``: whoever owned
    the machine that granted it and issued its token, whose grant it is as well.
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


class Membership(Grant):
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
        ]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="membership_live_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id} in {self.tenant_id}"


class RoleGrant(Grant):
    """Nobody grants a role to themselves: the database refuses it too (domain.md §5)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="role_grants")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="role_grants")
    role = models.CharField(max_length=20, choices=ROLE_CHOICES)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user", "role"], condition=Q(ended_at=None), name="role_grant_one_live"
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("granted_at")), name="role_grant_ends_after_start"
            ),
            models.CheckConstraint(condition=Q(role__in=list(ROLES)), name="role_grant_known_role"),
            models.CheckConstraint(
                condition=Q(granted_by=None) | ~Q(granted_by=F("user")), name="role_grant_not_to_oneself"
            ),
        ]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="role_grant_live_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"


class TeamGrant(Grant):
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
        ]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="team_grant_live_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: team {self.team_id}"


class ScopeGrant(Grant):
    """A right that no role has, given to one person by name: promotion:override (domain.md §6)."""

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
        ]
        indexes = [models.Index(fields=["user"], condition=Q(ended_at=None), name="scope_grant_live_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.scope}"
