"""Freeze windows of one environment, and of the whole tenant: the same calls under two addresses (contract.md)."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404

from environments.actions.clear_freeze_window import clear_freeze_window
from environments.actions.create_freeze_window import create_freeze_window
from environments.actions.update_freeze_window import update_freeze_window
from environments.api.bodies import ClearBody, FreezeWindowBody
from environments.api.resources import FreezeWindowResource, ListedFreezeWindowResource
from environments.etags import freeze_window_tag
from environments.models import Environment, FreezeWindow
from environments.models.freeze_window import FreezeWindowQuerySet
from environments.presenters import freeze_window_document, occurrences
from policies.api.proposed import proposed
from policies.api.resources import PROPOSED
from policies.models import Proposal
from stellapromote.accounts.scopes import ENVIRONMENT_READ, ENVIRONMENT_WRITE
from stellapromote.api.declarations import Answer
from stellapromote.api.pagination import PAGING
from stellapromote.api.parameters import line, timestamp
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.errors import FieldError, Invalid


class FreezeWindowViewSet(ApiViewSet):
    """Freezes of the environment in the path; without one, of the whole tenant ("stop the line")."""

    tag = "Environments"
    scopes = {
        "list": ENVIRONMENT_READ,
        "create": ENVIRONMENT_WRITE,
        "retrieve": ENVIRONMENT_READ,
        "update": ENVIRONMENT_WRITE,
        "destroy": ENVIRONMENT_WRITE,
    }
    bodies = {"create": FreezeWindowBody, "update": FreezeWindowBody, "destroy": ClearBody}
    parameters = {
        "list": (
            *PAGING,
            timestamp("from", "Only windows that end after this instant."),
            timestamp("to", "Only windows that begin before this instant."),
        ),
        "destroy": (line("reason", "Why it ends, where the client sends no body with DELETE.", max_length=500),),
    }
    answers = {
        "list": Answer(ListedFreezeWindowResource, paged=True),
        "create": Answer(FreezeWindowResource, status=201, etag=True),
        "retrieve": Answer(FreezeWindowResource, etag=True),
        "update": Answer(FreezeWindowResource, etag=True),
        "destroy": Answer(FreezeWindowResource, etag=True, description="The cleared window."),
    }
    alternatives = {"update": PROPOSED, "destroy": PROPOSED}
    refusals = {
        "create": ("RES_STATE_CONFLICT", "VAL_NOT_SUPPORTED", "SYS_CLOCK_SKEW"),
        "update": ("RES_STATE_CONFLICT", "VAL_NOT_SUPPORTED", "POL_INVALID", "SYS_CLOCK_SKEW"),
        "destroy": ("RES_STATE_CONFLICT", "POL_INVALID", "SYS_CLOCK_SKEW"),
    }

    def list(self, request: ApiRequest, **path: UUID) -> ApiResponse:
        """Freeze windows, the latest start first

        Cleared and past ones are among them. With `from` or `to` each says when it was or will be in force.
        """
        start, end = self.query.get("from"), self.query.get("to")
        if start is not None and end is not None and end <= start:
            raise Invalid(fields=[FieldError("to", "This must be after from.", "invalid")])
        present = freeze_window_document if start is None and end is None else _expanded
        return self.page(self._windows().touching(start, end), present=present, order=("-starts_at", "-id"))

    def create(self, request: ApiRequest, **path: UUID) -> ApiResponse:
        """Freeze

        Nothing is deployed in [start, end) once this is answered. Times are RFC 3339 instants, or without an offset the
        clock on the wall in `timezone`.
        """
        window = create_freeze_window(
            by=request.actor, clock=DATABASE_CLOCK, environment_id=self._environment_id(), **self.body
        )
        return _answer(window, status=201)

    def retrieve(self, request: ApiRequest, pk: UUID, **path: UUID) -> ApiResponse:
        """One freeze window, cleared or not."""
        return _answer(get_object_or_404(self._windows(), pk=pk))

    def update(self, request: ApiRequest, pk: UUID, **path: UUID) -> ApiResponse:
        """Change a freeze window that is not over

        What is left out stays. Freezing less of what somebody else set is listed as a weakening edit, and where a
        protected environment is concerned stored as a proposal.
        """
        window = update_freeze_window(
            by=request.actor,
            clock=DATABASE_CLOCK,
            window_id=pk,
            environment_id=self._environment_id(),
            changes=self.body,
            if_match=self.if_match,
        )
        return _answer(window)

    def destroy(self, request: ApiRequest, pk: UUID, **path: UUID) -> ApiResponse:
        """Clear a freeze window

        It ends now, or never begins, and stays in history. The reason stands in the query, or in a body. Clearing what
        somebody else set is listed as a weakening edit, and where a protected environment is concerned stored as a
        proposal.
        """
        if "reason" in self.body and "reason" in self.query:
            message = "Give the reason in the query or in the body, not in both."
            raise Invalid(fields=[FieldError("reason", message, "invalid")])
        window = clear_freeze_window(
            by=request.actor,
            clock=DATABASE_CLOCK,
            window_id=pk,
            environment_id=self._environment_id(),
            reason=self.body.get("reason", self.query.get("reason", "")),
            if_match=self.if_match,
        )
        return _answer(window)

    def resource(self) -> dict[str, Any]:
        windows = self._windows()
        if "pk" not in self.kwargs:
            return {}
        return freeze_window_document(get_object_or_404(windows, pk=self.kwargs["pk"]))

    def _windows(self) -> FreezeWindowQuerySet:
        """The windows of the environment in the path, or the tenant-wide ones. Http404 for an unknown environment."""
        tenant = self.request.actor.tenant
        environment_id = self._environment_id()
        if environment_id is not None:
            get_object_or_404(Environment.objects.of(tenant), pk=environment_id)
        return FreezeWindow.objects.of(tenant).filter(environment=environment_id)

    def _environment_id(self) -> UUID | None:
        return self.kwargs.get("environment_id")


def _answer(window: FreezeWindow | Proposal, status: int = 200) -> ApiResponse:
    if isinstance(window, Proposal):
        return proposed(window)
    return ApiResponse(freeze_window_document(window), status=status, etag=freeze_window_tag(window.pk, window.version))


def _expanded(window: FreezeWindow) -> dict[str, Any]:
    return {**freeze_window_document(window), "occurrences": occurrences(window)}
