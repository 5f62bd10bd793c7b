from datetime import datetime
from typing import cast

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

from stellapromote.accounts.models import User
from stellapromote.identity.second_factor import APP, counter_of, sealed_for, secret_in
from stellapromote.transactions import transactional


@transactional
def use_second_factor(user: User, code: str, at: datetime) -> Authenticator | None:
    """Uses up a code of the person; None for one that is wrong or was used before.

    A code of the app that is older than the last one counts no more. What was sealed with an earlier SECRET_KEY is
    sealed anew.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.second_factor is None:
        return None
    for each in Authenticator.objects.select_for_update().filter(user=user).order_by("-type"):
        name = "secret" if each.type == APP else "seed"
        secret = secret_in(user, each.data.get(name, ""))
        if secret is None:
            continue
        if each.type == APP:
            counter = counter_of(secret, code, at)
            used = counter is not None and counter > each.data["last_counter"]
            each.data |= {"last_counter": counter} if used else {}
        else:
            used = RecoveryCodes(each).validate_code(code)
            each.refresh_from_db()
        if used:
            each.data[name] = sealed_for(user, user.second_factor, secret)
            each.last_used_at = at
            each.save(update_fields=["data", "last_used_at"])
            return cast("Authenticator", each)
    return None
