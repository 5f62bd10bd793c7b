from uuid import UUID

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

from stellapromote.identity.devices import device_words
from stellapromote.ids import new_id


class SignInThrottle(models.Model):
    """Attempts to sign in that count together under one key (stellapromote.identity.throttle); holds no names."""

    key = models.CharField(max_length=64, primary_key=True)
    attempts = models.PositiveIntegerField()
    last_at = models.DateTimeField()
    open_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="sign_in_throttle_by_age")]

    def __str__(self) -> str:
        return f"{self.attempts} attempts until {self.last_at:%Y-%m-%d %H:%M:%S}"


class PersonSession(AbstractBaseSession):
    """A browser session, with the facts by which its person recognizes it (stellapromote.identity.sessions writes it).

    `public_id` names it in addresses: `session_key` signs its bearer in. `sign_in_id` stays when these two change.
    """

    public_id = models.UUIDField(unique=True, default=new_id, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sessions")
    sign_in_id = models.UUIDField(null=True)
    signed_in_at = models.DateTimeField(null=True)
    last_seen_at = models.DateTimeField()
    address = models.GenericIPAddressField(null=True)
    device = models.CharField(max_length=200, blank=True)

    class Meta(AbstractBaseSession.Meta):
        abstract = False

    @property
    def sign_in(self) -> UUID:
        """Its sign-in; a process of an earlier version wrote none."""
        return self.sign_in_id or self.public_id

    @property
    def device_words(self) -> str:
        return device_words(self.device)

    @classmethod
    def get_session_store_class(cls) -> "type[SessionBase]":
        from stellapromote.identity.sessions import SessionStore  # the engine needs this model

        return SessionStore


class Message(models.Model):
    """An e-mail with a one-time link that the worker sends (stellapromote.identity.messages). Links are made when it
    is sent, so none is stored.

    It carries an invitation, or else a link for a new password to ``user``; without either a stranger named an account
    that does not exist, and nothing is sent. ``due_at`` empty: nothing is left to do. ``problem``: why it was not sent.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invitation = models.ForeignKey(
        "accounts.Invitation", null=True, on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(invitation=None) | models.Q(user=None), name="message_carries_one_link"
            ),
            models.CheckConstraint(condition=models.Q(sent_at=None) | models.Q(due_at=None), name="message_sent_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="message_due"),
            models.Index(fields=["invitation", "-created_at"], name="message_of_invitation"),
            models.Index(fields=["user", "-created_at"], name="message_to_person"),
            models.Index(fields=["created_at"], name="message_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M:%S}"
