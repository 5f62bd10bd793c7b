from uuid import UUID

from django.http import Http404

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import ApiToken, ServiceOwner
from stellapromote.audit.recording import record
from stellapromote.clock import Clock
from stellapromote.identity import rules
from stellapromote.transactions import transactional


@transactional
def revoke_token(*, by: Actor, clock: Clock, token_id: UUID) -> ApiToken:
    """End a token of the actor's tenant for ever. A revoked one stays as it is. Raises Refused (403), Http404."""
    tokens = ApiToken.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    token = tokens.filter(pk=token_id, tenant_id=by.tenant).first()
    if token is None:
        raise Http404("No such token.")
    owners = ServiceOwner.objects.filter(service__user_id=token.user_id, ended_at=None)
    rules.check_may_revoke_token(by, token.pk, token.user_id, set(owners.values_list("owner_id", flat=True)))
    if token.revoked_at is not None:
        return token
    token.revoked_at, token.revoked_by_id = clock.now(), by.user_id
    token.save(update_fields=["revoked_at", "revoked_by"])
    record(
        by=by,
        at=token.revoked_at,
        action="token.revoked",
        resource="token",
        resource_id=token.id,
        before={
            "owner": token.user.username,
            "name": token.name,
            "publicId": token.public_id,
            "scopes": token.all_scopes,
        },
        rows=[token],
    )
    return token
