from stellapromote.accounts.models import User
from stellapromote.clock import Clock
from stellapromote.identity.invitations import is_mailed
from stellapromote.identity.link_rates import count_forgotten
from stellapromote.identity.messages import queue_reset


def forget_password(*, clock: Clock, username: str, address: str | None) -> None:
    """Has a link for a new password sent to the verified address of the account, if there is one.

    Nothing in the answer or its time tells whether there is: the same statements answer for every name, and the worker
    sends. Without a mail server nothing is stored. Raises TooManyLinks (429).
    """
    username = username.strip().lower()
    if not is_mailed():
        return
    now = clock.now()
    count_forgotten(username, address, now=now)
    people = User.objects.filter(username=username, kind=User.Kind.PERSON, is_active=True).exclude(email="")
    queue_reset(people.first(), at=now)
