"""The e-mails of the product: each carries one one-time link. They wait in rows, and the worker sends them.

A message is claimed in one transaction, sent outside of any, and noted in another. Its link is made when it is claimed:
a worker that dies meanwhile leaves one that is sent again, with another link. A message that could not be sent is tried
again for a day; then its problem stays with it.
"""

import logging
import smtplib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db.models import Case, DurationField, F, Max, Q, Value, When

from stellapromote.accounts.actor import system_actor
from stellapromote.accounts.models import Invitation, Tenant, User
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity.invitations import InvitationOver, check_open, invitation_link, is_mailed, new_link
from stellapromote.identity.models import Message
from stellapromote.identity.one_time_links import reset_link
from stellapromote.transactions import transactional

logger = logging.getLogger(__name__)

RETRIES: Final = tuple(timedelta(minutes=each) for each in (1, 5, 30, 120, 480, 900))
"""The time after each attempt until the next one, should it fail; then there is none."""
SECONDS: Final = 10
"""The longest wait for each answer of the mail server."""
BETWEEN_RESETS: Final = timedelta(minutes=10)
"""A person gets one message in this time, however often somebody asks for it."""
KEPT: Final = timedelta(days=30)
NO_ANSWER: Final = "The mail server does not answer"
NO_LOGIN: Final = "The mail server refuses the user or password of EMAIL_URL."
_OF_THE_SERVER: Final = Q(problem__startswith=NO_ANSWER) | Q(problem=NO_LOGIN)
"""Of every message, until somebody mends the server or EMAIL_URL."""
_WAITS: Final = [When(attempts=number, then=Value(wait)) for number, wait in enumerate(RETRIES, start=1)]
_TRIED_AT: Final = F("due_at") - Case(*_WAITS, output_field=DurationField())
"""When a message was tried last that is tried again."""


@dataclass(frozen=True, slots=True)
class _Letter:
    message_id: UUID
    to: str
    subject: str
    text: str


def queue_invitation(invitation: Invitation, *, at: datetime) -> None:
    """Has the link of the invitation sent, in the transaction of its change. Earlier messages of it end."""
    Message.objects.filter(invitation=invitation, due_at__isnull=False).update(due_at=None)
    Message.objects.create(invitation=invitation, created_at=at, due_at=at)


def queue_reset(user: User | None, *, at: datetime) -> None:
    """Has a link for a new password sent to the verified address of this person. Nothing is sent for none."""
    Message.objects.create(user=user, created_at=at, due_at=at)


def send_due(clock: Clock, *, most: int = 20) -> int:
    """Sends messages that are due, and returns their number. One that fails ends it: its server may not answer."""
    sent = 0
    if not is_mailed():
        return 0
    while sent < most:
        claimed, letter = _claim(clock)
        if not claimed:
            break
        if letter is None:
            continue
        problem = _deliver(letter)
        _note(letter.message_id, problem, clock)
        if problem:
            break
        sent += 1
    return sent


def are_due(clock: Clock) -> bool:
    return is_mailed() and Message.objects.filter(due_at__lte=clock.now()).exists()


def is_server_lost() -> bool:
    """Whether messages wait because the mail server did not answer, or refused its user, and it took none since. Two
    statements."""
    if not is_mailed():
        return False
    waiting = Message.objects.filter(_OF_THE_SERVER, due_at__isnull=False)
    tried: datetime | None = waiting.aggregate(at=Max(_TRIED_AT))["at"]
    return tried is not None and not Message.objects.filter(created_at__gt=tried - KEPT, sent_at__gt=tried).exists()


def forget_messages(now: datetime) -> None:
    """Deletes the messages that are not sent any more, after a time."""
    Message.objects.filter(created_at__lt=now - KEPT, due_at=None).delete()


@transactional
def _claim(clock: Clock) -> tuple[bool, _Letter | None]:
    """Whether a message was due, and what to send; None where there is nothing to send any more."""
    now = clock.now()
    due = Message.objects.select_for_update(skip_locked=True, of=("self",)).filter(due_at__lte=now)
    message = due.order_by("due_at", "pk").first()
    if message is None:
        return False, None
    letter = _letter(message, now)
    message.attempts += 1
    again = None if letter is None or message.attempts > len(RETRIES) else RETRIES[message.attempts - 1]
    message.due_at = None if again is None else now + again
    if letter is not None and again is None:
        message.problem = "It was not sent."  # until its last attempt says otherwise
    message.save(update_fields=["attempts", "due_at", "problem"])
    return True, letter


def _letter(message: Message, now: datetime) -> _Letter | None:
    if message.invitation_id is not None:
        return _invitation_letter(message, message.invitation_id, now)
    return None if message.user_id is None else _reset_letter(message, message.user_id, now)


def _invitation_letter(message: Message, invitation_id: UUID, now: datetime) -> _Letter | None:
    rows = Invitation.objects.select_for_update(no_key=True, of=("self",)).select_related("tenant", "created_by")
    invitation = rows.get(pk=invitation_id)
    try:
        check_open(invitation, now)
    except InvitationOver:
        return None
    secret, invitation.link_digest = new_link()
    invitation.save(update_fields=["link_digest"])
    record(
        by=system_actor(invitation.tenant_id, invitation.tenant.slug),
        at=now,
        action="invitation.link_made",
        resource="invitation",
        resource_id=invitation.pk,
        after={"username": invitation.username},
        metadata={"shown": False},
        rows=[invitation],
    )
    return _Letter(
        message.pk,
        invitation.email,
        "Invitation to StellaPromote",
        f"{_named(invitation.created_by)} invites you to {_called(invitation.tenant)} on StellaPromote, as "
        f"{invitation.username}.\n\nThis link works once, for 72 hours from the invitation:\n\n"
        f"{invitation_link(secret)}\n\nIf you do not expect this, do nothing: without the link nothing happens.\n",
    )


def _reset_letter(message: Message, user_id: UUID, now: datetime) -> _Letter | None:
    """None for a person who got such a message a moment ago, and for one who may not sign in."""
    user = User.objects.get(pk=user_id)
    recently = Message.objects.filter(user=user, sent_at__gt=now - BETWEEN_RESETS).exists()
    if recently or not user.is_active or not user.email:
        return None
    record(by=system_actor(None, ""), at=now, action="user.password_link_made", resource="user", resource_id=user.pk)
    return _Letter(
        message.pk,
        user.email,
        "New password for StellaPromote",
        f"This link sets a new password for {user.username}, once, within 3 days:\n\n{reset_link(user)}\n\n"
        "If you did not ask for it, do nothing: the present password goes on.\n",
    )


def _deliver(letter: _Letter) -> str:
    """Empty, or why it was not sent; never what the server says about addresses, nor its password."""
    server = settings.MAIL_SERVER
    try:
        with get_connection(
            backend=server.backend,
            host=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.starttls,
            use_ssl=server.tls,
            timeout=SECONDS,
        ) as connection:
            EmailMessage(letter.subject, letter.text, settings.MAIL_FROM, [letter.to], connection=connection).send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        logger.warning("mail_not_sent", extra={"reason": type(error).__name__})
        return _problem(error)
    return ""


def _problem(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "The mail server refuses the address."
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return NO_LOGIN
    connecting = (smtplib.SMTPServerDisconnected, smtplib.SMTPConnectError, smtplib.SMTPHeloError)
    is_lost = isinstance(error, connecting) or (
        isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException)
    )
    told = NO_ANSWER if is_lost else "The mail server did not take it"
    return f"{told} ({type(error).__name__})."


@transactional
def _note(message_id: UUID, problem: str, clock: Clock) -> None:
    message = Message.objects.select_for_update().get(pk=message_id)
    if problem:
        message.problem = problem
    else:
        message.sent_at, message.due_at, message.problem = clock.now(), None, ""
    message.save(update_fields=["sent_at", "due_at", "problem"])


def _named(user: User) -> str:
    return f"{user.display_name} ({user.username})"


def _called(tenant: Tenant) -> str:
    return tenant.name or tenant.slug
