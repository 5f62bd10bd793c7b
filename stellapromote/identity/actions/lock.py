from typing import Any, TypeVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404

from stellapromote.accounts.models import Membership, ServiceAccount, Team, User
from stellapromote.recorded_rows import RecordedRow

R = TypeVar("R", bound=RecordedRow)


def lock_membership(tenant_id: UUID, user_id: UUID) -> Membership:
    """The person's live membership, locked: their roles and teams in the tenant change one at a time. Http404."""
    memberships = Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    membership = memberships.filter(tenant_id=tenant_id, user_id=user_id, ended_at=None).first()
    if membership is None:
        raise Http404("No such member of this tenant.")
    return membership


def lock_person(username: str) -> User | None:
    """The account, locked against a second membership at the same instant; None if no account has this username."""
    return User.objects.select_for_update(no_key=True).filter(username=username, kind=User.Kind.PERSON).first()


def lock_service(tenant_id: UUID, service_id: UUID) -> ServiceAccount:
    """The service, locked: its owners change one at a time. Http404."""
    services = ServiceAccount.objects.select_for_update(no_key=True)
    service = services.filter(tenant_id=tenant_id, pk=service_id).first()
    if service is None:
        raise Http404("No such service.")
    return service


def lock_team(tenant_id: UUID, slug: str, *, for_deletion: bool = False) -> Team:
    """The team, locked: its name changes once at a time, and it is not deleted meanwhile. Http404.

    ``for_deletion``: nobody is put into it, and no policy begins to name it, before this transaction ends.
    """
    team = Team.objects.select_for_update(no_key=not for_deletion).filter(tenant_id=tenant_id, slug=slug).first()
    if team is None:
        raise Http404("No such team.")
    return team


def changed(rows: QuerySet[R], **values: Any) -> list[R]:
    """Gives all of these rows the same values, under their locks, and returns them as they are then. Two statements."""
    found = list(rows.select_for_update(no_key=True, of=("self",)))
    if found:
        rows.model._default_manager.filter(pk__in=[row.pk for row in found]).update(**values)
    for row in found:
        for name, value in values.items():
            setattr(row, name, value)
    return found
