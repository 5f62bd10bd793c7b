from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from rest_framework.decorators import action

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import User
from stellapromote.accounts.scopes import TENANT_ADMIN
from stellapromote.accounts.vouching import CONFIRMING_SCOPES
from stellapromote.api.cursors import Position
from stellapromote.api.declarations import MEMBER, Answer
from stellapromote.api.pagination import PAGING, QuerySetSource
from stellapromote.api.rendering import ApiResponse
from stellapromote.api.serializers import NoBody
from stellapromote.api.views import ApiRequest, ApiViewSet
from stellapromote.database_clock import DATABASE_CLOCK
from stellapromote.identity.actions.change_display_name import change_display_name
from stellapromote.identity.actions.confirm_account import confirm_account
from stellapromote.identity.actions.confirm_grant import confirm_grant, live_grant
from stellapromote.identity.actions.end_grant import end_grant
from stellapromote.identity.actions.end_member_sessions import end_member_sessions
from stellapromote.identity.actions.end_membership import end_membership
from stellapromote.identity.actions.end_sessions import end_other_sessions, end_session
from stellapromote.identity.actions.make_reset import make_reset
from stellapromote.identity.api.bodies import MemberChanges, Reason
from stellapromote.identity.api.resources import (
    EndedSessionsResource,
    GrantResource,
    MemberResource,
    ResetLinkResource,
    SessionResource,
)
from stellapromote.identity.etags import tag_of
from stellapromote.identity.presenters import grant_document, member_document, session_document
from stellapromote.identity.roster import Member, live_memberships, member_of, with_grants
from stellapromote.identity.rules import check_owns_account
from stellapromote.identity.sessions import sessions_in, sessions_of
from stellapromote.identity.sign_in_records import person_without_tenant


class MemberViewSet(ApiViewSet):
    """The people of the tenant."""

    tag = "Members"
    scopes = {
        "list": CONFIRMING_SCOPES,
        "retrieve": CONFIRMING_SCOPES,
        "update": MEMBER,
        "end": TENANT_ADMIN,
        "confirm_account": CONFIRMING_SCOPES,
        "reset_link": TENANT_ADMIN,
        "sessions": MEMBER,
        "end_sessions": MEMBER,
    }
    bodies = {"update": MemberChanges, "end": Reason, "confirm_account": NoBody, "reset_link": NoBody}
    parameters = {"list": PAGING, "sessions": PAGING}
    answers = {
        "list": Answer(MemberResource, paged=True),
        "retrieve": Answer(MemberResource, etag=True),
        "update": Answer(MemberResource, etag=True),
        "end": Answer(MemberResource),
        "confirm_account": Answer(MemberResource),
        "reset_link": Answer(ResetLinkResource),
        "sessions": Answer(SessionResource, paged=True),
        "end_sessions": Answer(EndedSessionsResource),
    }
    refusals = {
        "update": ("PERM_DENIED",),
        "end": ("RES_LAST_ADMIN",),
        "confirm_account": ("PERM_NOT_VOUCHED_FOR", "PERM_SECOND_FACTOR", "PERM_SEPARATION_OF_DUTIES"),
        "reset_link": ("PERM_NOT_MANAGED", "SYS_RATE_LIMITED"),
        "sessions": ("PERM_DENIED",),
        "end_sessions": ("PERM_DENIED",),
    }
    conditional = frozenset({"update", "end"})

    def list(self, request: ApiRequest) -> ApiResponse:
        """Members by username, each with what they hold and who vouched for it"""
        memberships = live_memberships(request.actor.tenant)
        return self.page(_Members(QuerySetSource(memberships, ("username",))), present=member_document)

    def retrieve(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """One member with what they hold and who vouched for it"""
        return self._shown()

    def update(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Change your displayed name

        An account belongs to its person: you change your own name, signed in, and nobody changes that of another.
        Votes and records keep the name of their time.
        """
        _check_own(request.actor, pk)
        change_display_name(by=request.actor, clock=DATABASE_CLOCK, if_match=self.if_match, **self.body)
        return self._shown()

    @action(detail=True, methods=["post"])
    def end(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """End a membership

        With it end the roles, teams and rights of the member, the services that they own, and their tokens. Votes and
        decisions stay. You cannot end your own membership, nor that of the last administrator.
        """
        membership = end_membership(
            by=request.actor, clock=DATABASE_CLOCK, user_id=pk, if_match=self.if_match, **self.body
        )
        return ApiResponse(member_document(Member(membership)))

    @action(detail=True, methods=["post"], url_path="confirm-account")
    def confirm_account(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Confirm that the right person has an account

        Of a member whose account may be in other hands (heldBy). You confirm it if it may not be yours, and your own
        role is confirmed. It holds in this tenant, from now on. An account that nobody else may have stays as it is.
        """
        confirm_account(by=request.actor, clock=DATABASE_CLOCK, user_id=pk)
        return ApiResponse(member_document(self._member()))

    @action(detail=True, methods=["post"], url_path="reset-link")
    def reset_link(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Make a link for a new password

        Only of a member whose account an invitation of this tenant made, and who was never a member of another. It
        works once, for three days, until a membership of the account begins or ends; using it ends their sessions. It
        goes to their verified e-mail address; without one the answer alone has it, and the account counts as yours
        until another person confirms it. You make it in person, not by a service, and not for yourself.
        """
        made = make_reset(by=request.actor, clock=DATABASE_CLOCK, user_id=pk)
        return ApiResponse({"link": made.link}, secret=True)

    @action(detail=True)
    def sessions(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """Where a member is signed in, the session used last first

        You see your own sessions, signed in. An administrator sees those of another member that may act in the tenant.
        """
        by = request.actor
        _check_sessions(by, pk)
        current = request._request.session.session_key if by.auth_method == "session" else None
        return self.page(
            sessions_of(pk) if by.user_id == pk else sessions_in(by.tenant, pk),
            present=lambda session: session_document(session, current),
            order=("-last_seen_at", "-public_id"),
        )

    @sessions.mapping.delete
    def end_sessions(self, request: ApiRequest, pk: UUID) -> ApiResponse:
        """End your other sessions, or all of another member in the tenant

        Of your own, signed in, the session that calls goes on. An administrator ends those of another member in the
        tenant alone: they go on elsewhere, and the person works here again once they sign in again.
        """
        if request.actor.user_id != pk:
            _check_sessions(request.actor, pk)
            return ApiResponse({"ended": end_member_sessions(by=request.actor, clock=DATABASE_CLOCK, user_id=pk)})
        _check_own(request.actor, pk)
        assert isinstance(request.user, User)
        by = person_without_tenant(request._request, request.user)
        ended = end_other_sessions(by=by, clock=DATABASE_CLOCK, keep=request._request.session.session_key)
        return ApiResponse({"ended": ended})

    def resource(self) -> dict[str, Any]:
        if self.action == "update":
            _check_own(self.request.actor, self.kwargs["pk"])
        if self.action in ("sessions", "end_sessions"):
            _check_sessions(self.request.actor, self.kwargs["pk"])
        return member_document(self._member())

    def _member(self) -> Member:
        return member_of(self.request.actor.tenant, self.kwargs["pk"])

    def _shown(self) -> ApiResponse:
        document = member_document(self._member())
        return ApiResponse(document, etag=tag_of("member", document))


class MemberSessionViewSet(ApiViewSet):
    """The sessions of the caller, and of other members for administrators."""

    tag = "Members"
    scopes = {"destroy": MEMBER}
    answers = {"destroy": Answer(EndedSessionsResource)}
    refusals = {"destroy": ("PERM_DENIED",)}
    conditional = frozenset()

    def destroy(self, request: ApiRequest, pk: UUID, user_id: UUID) -> ApiResponse:
        """End one of your sessions, or one of another member in the tenant

        Its browser has to sign in again. You end your own, signed in; an administrator ends that of another member in
        the tenant alone.
        """
        if request.actor.user_id != user_id:
            _check_sessions(request.actor, user_id)
            ended = end_member_sessions(by=request.actor, clock=DATABASE_CLOCK, user_id=user_id, session_id=pk)
            return ApiResponse({"ended": ended})
        _check_own(request.actor, user_id)
        assert isinstance(request.user, User)
        end_session(by=person_without_tenant(request._request, request.user), clock=DATABASE_CLOCK, session_id=pk)
        return ApiResponse({"ended": 1})

    def resource(self) -> dict[str, Any]:
        by, user_id = self.request.actor, self.kwargs["user_id"]
        _check_sessions(by, user_id)
        sessions = sessions_of(user_id) if by.user_id == user_id else sessions_in(by.tenant, user_id)
        get_object_or_404(sessions, public_id=self.kwargs["pk"])
        return {}


class MemberGrantViewSet(ApiViewSet):
    """What one member holds."""

    tag = "Members"
    scopes = {"confirm": CONFIRMING_SCOPES, "end": TENANT_ADMIN}
    bodies = {"confirm": NoBody, "end": Reason}
    answers = {"confirm": Answer(GrantResource), "end": Answer(GrantResource)}
    refusals = {
        "confirm": ("PERM_NOT_VOUCHED_FOR", "PERM_SECOND_FACTOR", "PERM_SEPARATION_OF_DUTIES"),
        "end": ("RES_LAST_ADMIN",),
    }

    @action(detail=True, methods=["post"])
    def confirm(self, request: ApiRequest, pk: UUID, user_id: UUID) -> ApiResponse:
        """Confirm a role, team or right

        You confirm it if you neither gave it nor hold it, and your own role is confirmed. It counts from now on, for
        open promotions too, no matter who gave it. A grant that is confirmed already stays as it is.
        """
        confirm_grant(by=request.actor, clock=DATABASE_CLOCK, user_id=user_id, grant_id=pk)
        return ApiResponse(self.resource())

    @action(detail=True, methods=["post"])
    def end(self, request: ApiRequest, pk: UUID, user_id: UUID) -> ApiResponse:
        """End a role, team or right

        You cannot end your own, nor the role of the last administrator.
        """
        grant = end_grant(by=request.actor, clock=DATABASE_CLOCK, user_id=user_id, grant_id=pk, **self.body)
        return ApiResponse(grant_document(grant))

    def resource(self) -> dict[str, Any]:
        return grant_document(live_grant(self.request.actor.tenant, self.kwargs["user_id"], self.kwargs["pk"]))


def _check_own(by: Actor, user_id: UUID) -> None:
    """Tells only people who may see members whether there is one with this id."""
    if by.auth_method == "session" and by.user_id != user_id and not by.scopes.isdisjoint(CONFIRMING_SCOPES):
        member_of(by.tenant, user_id)
    check_owns_account(by, user_id)


def _check_sessions(by: Actor, user_id: UUID) -> None:
    """One's own as `_check_own`; those of another member for administrators, by a token too."""
    if by.user_id == user_id or not by.has(TENANT_ADMIN):
        _check_own(by, user_id)
    else:
        member_of(by.tenant, user_id)


@dataclass(frozen=True, slots=True)
class _Members:
    """Memberships in pages, as members with their grants: three queries more for each page, five with held accounts."""

    memberships: QuerySetSource

    @property
    def columns(self) -> int:
        return self.memberships.columns

    def after(self, position: Position | None, limit: int) -> Sequence[Member]:
        return with_grants(self.memberships.after(position, limit))

    def numbered(self, offset: int, limit: int) -> Sequence[Member]:
        return with_grants(self.memberships.numbered(offset, limit))

    def count(self) -> int:
        return self.memberships.count()

    def order_values(self, row: Member) -> tuple[Any, ...]:
        return self.memberships.order_values(row.membership)
