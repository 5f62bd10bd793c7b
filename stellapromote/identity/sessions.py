"""Browser sessions in a table of our own, so that people see theirs and end them (settings.SESSION_ENGINE).

The row is made from the session's own data at every save; a change of the session's key (at sign-in and at a change of
password) therefore keeps what is known about it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessionStore
from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from stellapromote.accounts.models import EndedSession, RoleGrant, ScopeGrant
from stellapromote.accounts.scopes import roles_with
from stellapromote.accounts.sign_in import SignIn
from stellapromote.accounts.vouching import CONFIRMING_SCOPES
from stellapromote.clock import parse_rfc3339, rfc3339, whole_milliseconds
from stellapromote.database_clock import DATABASE_CLOCK, StatementTime
from stellapromote.identity.models import PersonSession
from stellapromote.ids import new_id

SIGN_IN = "sign_in"
SEEN_GRANULARITY = timedelta(minutes=1)
_LONGEST_DEVICE = 200
_LONGEST_LIFE = timedelta(days=30)
"""Of any session, with much to spare."""


class SessionStore(DatabaseSessionStore):
    """Django's database sessions with a person beside each. The last use is written at most once a minute.

    ``in_background``: no person asked, so this is no use. ``timed_out_person``: of a session that is no longer good.
    """

    in_background = False
    timed_out_person: UUID | None = None
    _seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[PersonSession]:
        return PersonSession

    def create_model_instance(self, data: dict[str, Any]) -> PersonSession:
        if data.get(SESSION_KEY):
            data.setdefault(SIGN_IN, {"id": str(new_id()), "at": rfc3339(DATABASE_CLOCK.now())})
        row = cast("PersonSession", super().create_model_instance(data))
        details = data.get(SIGN_IN) or {}
        row.user_id = UUID(data[SESSION_KEY]) if data.get(SESSION_KEY) else None
        row.public_id = UUID(details["id"]) if details else new_id()
        row.sign_in_id = _sign_in_id(details) if details else None
        row.signed_in_at = parse_rfc3339(details["at"]) if details else None
        row.address = details.get("address")
        row.device = details.get("device", "")
        row.last_seen_at = self._seen_at if self.in_background and self._seen_at else DATABASE_CLOCK.now()
        row.expire_date = self.get_expiry_date(modification=row.signed_in_at or row.last_seen_at)
        return row

    @property
    def sign_in(self) -> SignIn:
        """The sign-in of its person."""
        details = self[SIGN_IN]
        return SignIn(_sign_in_id(details), second_factor=bool(details.get("second_factor")))

    def cycle_key(self) -> None:
        """The new row stands beside the old one for a moment, so it needs a name of its own: Django takes any clash of
        unique values for a clash of keys and tries for ever."""
        if self.get(SIGN_IN):
            kept = self[SIGN_IN]
            self[SIGN_IN] = {**kept, "id": str(new_id()), "sign_in": str(_sign_in_id(kept))}
        super().cycle_key()

    def _get_session_from_db(self) -> PersonSession | None:
        """As Django's, which asks by the clock of the process."""
        rows = PersonSession.objects.annotate(now=StatementTime(), is_good=ExpressionWrapper(_good(), BooleanField()))
        row = rows.filter(session_key=self.session_key).first()
        if row is None or not row.is_good:
            self._session_key = None
            self.timed_out_person = None if row is None else row.user_id
            return None
        self._seen_at = row.last_seen_at
        if not self.in_background and row.now - row.last_seen_at >= SEEN_GRANULARITY:
            PersonSession.objects.filter(pk=row.pk).update(last_seen_at=whole_milliseconds(row.now))
        return row

    @classmethod
    def clear_expired(cls) -> None:
        """Also what says that a session has ended in a tenant, once no session can be as old."""
        PersonSession.objects.filter(expire_date__lt=StatementTime()).delete()
        EndedSession.objects.filter(ended_at__lt=StatementTime() - _LONGEST_LIFE).delete()


def note_sign_in(request: HttpRequest, *, second_factor: str = "") -> None:
    """Keep in the session when, from where and with what browser its person signed in, and with which second factor."""
    request.session[SIGN_IN] = {
        "id": str(new_id()),
        "at": rfc3339(DATABASE_CLOCK.now()),
        "address": getattr(request, "client_address", None),
        "device": request.headers.get("User-Agent", "").replace("\0", "")[:_LONGEST_DEVICE],
        "second_factor": second_factor,
    }


def note_second_factor(request: HttpRequest, second_factor: str) -> None:
    """Keep in the session that its person has proved a second factor now, or, with an empty text, that they turned it
    off."""
    request.session[SIGN_IN] = {**request.session[SIGN_IN], "second_factor": second_factor}


def sessions_of(user_id: UUID) -> QuerySet[PersonSession]:
    """The person's sessions that are still good, the one used last first."""
    rows = PersonSession.objects.filter(_good(), user_id=user_id)
    return rows.defer("session_data").order_by("-last_seen_at", "-public_id")


def sessions_in(tenant_id: UUID, user_id: UUID) -> QuerySet[PersonSession]:
    """Those of them that were not ended in the tenant, the one used last first."""
    lasting = Coalesce("sign_in_id", "public_id")
    ended = EndedSession.objects.filter(tenant_id=tenant_id, sign_in_id=OuterRef("lasting"))
    return sessions_of(user_id).annotate(lasting=lasting).exclude(Exists(ended))


def _good() -> Q:
    """Sessions that have not timed out: 12 hours after signing in, and for a person who decides or administers in some
    tenant, some time without use."""
    good = Q(expire_date__gt=StatementTime())
    if not settings.SESSION_IDLE_MINUTES:
        return good
    held = {"user_id": OuterRef("user_id"), "ended_at": None}
    deciding = Q(Exists(RoleGrant.objects.filter(role__in=roles_with(*CONFIRMING_SCOPES), **held)))
    deciding |= Q(Exists(ScopeGrant.objects.filter(**held)))
    return good & (Q(last_seen_at__gt=StatementTime() - timedelta(minutes=settings.SESSION_IDLE_MINUTES)) | ~deciding)


def _sign_in_id(details: Mapping[str, str]) -> UUID:
    """The id of the sign-in: the first public name of its session."""
    return UUID(details.get("sign_in", details["id"]))
