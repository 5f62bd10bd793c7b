from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from stellapromote.accounts.models import ServiceAccount
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.api.cursors import Position
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.pagination import PAGING, QuerySetSource
from stellapromote.api.parameters import line
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.add_service_owner import add_service_owner
from stellapromote.identity.actions.change_service import change_service
from stellapromote.identity.actions.end_service import end_service
from stellapromote.identity.actions.end_service_owner import end_service_owner
from stellapromote.identity.api.bodies import NewService, Ownership, Reason, ServiceChanges
from stellapromote.identity.api.resources import ServiceResource
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import service_document
from stellapromote.identity.roster import OwnedService, member_called, owners_of, services_seen_by, with_owners
from stellapromote.identity.rules import LONGEST_REASON


class ServiceViewSet(ApiViewSet):
    """The machines of the tenant."""

    tag = "Services"
    scopes = {
        "list": MEMBER,
        "create": TENANT_ADMIN,
        "retrieve": MEMBER,
        "update": TENANT_ADMIN,
        "end": TENANT_ADMIN,
    }
    bodies = {"create": NewService, "update": ServiceChanges, "end": Reason}
    parameters = {"list": PAGING}
    answers = {
        "list": Answer(ServiceResource, paged=True),
        "create": Answer(ServiceResource, status=201, etag=True),
        "retrieve": Answer(ServiceResource, etag=True),
        "update": Answer(ServiceResource, etag=True),
        "end": Answer(ServiceResource, etag=True),
    }
    refusals = {"create": ("RES_DUPLICATE",)}
    conditional = frozenset({"update", "end"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """The services that you own, by name; for an administrator all of them."""
        services = QuerySetSource(services_seen_by(request.actor), ("name",))
        return self.page(_Services(services), present=lambda each: service_document(each.service, each.owners))

    def create(self, request: ApiRequest) -> ApiResponse:
        """Add a service

        What it does counts as done by its owners. It never votes, confirms or overrides. Where you own it, it has no
        scope that your own roles do not give you.
        """
        return _answer(add_service(by=request.actor, clock=DATABASE_CLOCK, **self.body), status=201)

    def retrieve(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """One service with its owners, for them and for administrators."""
        return _answer(self._service())

    def update(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Change what a service may do

        The scopes are replaced, for its present tokens too. Where you own it or issued a token of it, you add no scope
        that your own roles do not give you.
        """
        service = change_service(
            by=request.actor, clock=DATABASE_CLOCK, service_id=pk, if_match=self.if_match, **self.body
        )
        return _answer(service)

    @action(detail=True, methods=["post"])
    def end(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """End a service

        It loses its owners and its tokens, and is refused from now on; its name stays taken. You cannot end a service
        of your own.
        """
        service = end_service(
            by=request.actor, clock=DATABASE_CLOCK, service_id=pk, if_match=self.if_match, **self.body
        )
        return _answer(service)

    def resource(self) -> dict[str, Any]:
        service = self._service()
        return service_document(service, owners_of(service))

    def _service(self) -> ServiceAccount:
        return _service_seen(self.request, self.kwargs["pk"])


class ServiceOwnerViewSet(ApiViewSet):
    """The people who own one service."""

    tag = "Services"
    lookup_field = "username"
    lookup_value_converter = "slug"
    scopes = {"update": TENANT_ADMIN, "destroy": TENANT_ADMIN}
    bodies = {"update": Ownership}
    parameters = {"destroy": (line("reason", "Why, for the readers of the audit log.", max_length=LONGEST_REASON),)}
    answers = {"update": Answer(ServiceResource), "destroy": Answer(ServiceResource)}
    refusals = {"destroy": ("RES_IN_USE",)}
    conditional = frozenset()

    def update(self, request: ApiRequest, service_id: UUID, username: str) -> ApiResponse:
        """Make a member an owner of a service

        What it does from now on counts as done by them too. You do not become the owner of a service with scopes that
        your own roles do not give you.
        """
        service = _service_seen(request, service_id)
        person = member_called(request.actor.tenant, username)
        add_service_owner(by=request.actor, clock=DATABASE_CLOCK, service_id=service_id, owner=person.username)
        return _answer(service)

    def destroy(self, request: ApiRequest, service_id: UUID, username: str) -> ApiResponse:
        """End an ownership of a service

        The tokens that this person issued for it, or that the command line issued, are revoked. A service keeps one
        owner who is a member. You cannot end your own ownership.
        """
        service = _service_seen(request, service_id)
        person = member_called(request.actor.tenant, username)
        end_service_owner(
            by=request.actor, clock=DATABASE_CLOCK, service_id=service_id, user_id=person.pk, **self.query
        )
        return _answer(service)

    def resource(self) -> dict[str, Any]:
        service = _service_seen(self.request, self.kwargs["service_id"])
        person = member_called(self.request.actor.tenant, self.kwargs["username"])
        if self.action == "destroy" and not service.owners.filter(owner=person).exists():
            raise Http404("They do not own this service.")
        return service_document(service, owners_of(service))


@dataclass(frozen=True, slots=True)
class _Services:
    """Services in pages, each with its owners: one query more for each page."""

    services: QuerySetSource

    @property
    def columns(self) -> int:
        return self.services.columns

    def after(self, position: Position | None, limit: int) -> Sequence[OwnedService]:
        return with_owners(self.services.after(position, limit))

    def numbered(self, offset: int, limit: int) -> Sequence[OwnedService]:
        return with_owners(self.services.numbered(offset, limit))

    def count(self) -> int:
        return self.services.count()

    def order_values(self, row: OwnedService) -> tuple[Any, ...]:
        return self.services.order_values(row.service)


def _service_seen(request: ApiRequest, service_id: UUID) -> ServiceAccount:
    """Http404 for a service that the caller neither owns nor administrates."""
    return get_object_or_404(services_seen_by(request.actor), pk=service_id)


def _answer(service: ServiceAccount, status: int = 200) -> ApiResponse:
    document = service_document(service, owners_of(service))
    return ApiResponse(document, status=status, etag=tag_of("service", document))
