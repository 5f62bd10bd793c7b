from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.command_line import operating_system_user
from stellapromote.accounts.models import ApiToken, ServiceAccount, User
from stellapromote.accounts.models.token import DEFAULT_LIFE
from stellapromote.accounts.rights import Rights, beyond, common, limited, stored_rights
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, NEVER_FOR_SERVICES
from stellapromote.accounts.second_factor import requires_second_factor
from stellapromote.accounts.token_format import generate, secret_digest
from stellapromote.audit.recording import record
from stellapromote.clock import Clock, rfc3339
from stellapromote.identity import rules
from stellapromote.identity.actions.lock import lock_membership
from stellapromote.identity.own_rights import check_can_use, rights_held
from stellapromote.identity.products import checked_products
from stellapromote.transactions import transactional


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """`text` is the token itself: it is shown once and kept nowhere. `withheld`: what it does not carry because the
    person it acts for did not make it, or without the second factor that the tenant requires."""

    token: ApiToken
    text: str = field(repr=False)
    withheld: frozenset[str] = frozenset()


@transactional
def issue_token(
    *,
    by: Actor,
    clock: Clock,
    user_id: UUID,
    name: str,
    scopes: Iterable[str] | None = None,
    life: timedelta = DEFAULT_LIFE,
    products: Iterable[str] = (),
) -> IssuedToken:
    """Issues a token that acts for a member or a service of the actor's tenant, with the given scopes or all its owner
    has.

    The scopes must be held by its owner, and are judged again at every use (product.md, Roles). The issuer is recorded,
    none for the command line; a token that its person did not make neither votes nor overrides. One of a service gives
    its issuer no right that their roles and other people did not give them (docs/adr/0222). With ``products`` it reads
    everything, and writes releases and promotions of these alone (docs/adr/0228). Raises Refused (403), Invalid (400),
    Http404 for an account outside this tenant.
    """
    name = rules.checked_line("name", name, longest=rules.LONGEST_TOKEN_NAME)
    rules.checked_life(life)
    tenant_id = by.tenant
    owner, held, service = _owner(by, tenant_id, user_id)
    is_own = by.user_id == owner.pk
    at = clock.now()
    lacks = service is None and not by.second_factor and requires_second_factor(tenant_id, at)
    withheld = NEVER_FOR_SERVICES.intersection(held) if lacks or not is_own else frozenset()
    limit = checked_products(tenant_id, products)
    allowed = held.keys() - withheld
    if limit and scopes is None:
        scopes = allowed & LIMITED_TO_PRODUCTS
    chosen = rules.checked_scopes(allowed if scopes is None else scopes, allowed, _why(owner, withheld, is_own=is_own))
    if limit:
        rules.checked_scopes(chosen, LIMITED_TO_PRODUCTS, "a token that is limited to products cannot have this.")
        _check_holds(owner, held, limited(chosen, limit or None))
    if service is not None:
        check_can_use(by, service, common(held, limited(chosen, limit or None)))
    public_id, secret, text = generate()
    token = ApiToken.objects.create(
        tenant_id=tenant_id,
        user=owner,
        issuer_id=by.user_id,
        name=name,
        public_id=public_id,
        secret_digest=secret_digest(secret),
        **stored_rights(chosen, limit),
        second_factor=is_own and by.second_factor,
        created_at=at,
        expires_at=at + life,
    )
    record(
        by=by,
        at=at,
        action="token.issued",
        resource="token",
        resource_id=token.id,
        after={
            "owner": owner.username,
            "name": name,
            "publicId": public_id,
            "scopes": chosen,
            **({"products": limit} if limit else {}),
            "expiresAt": rfc3339(token.expires_at),
            **({"onServerBy": operating_system_user()} if by.auth_method == "command" else {}),
        },
        rows=[token],
    )
    return IssuedToken(token, text, withheld)


def _check_holds(owner: User, held: Rights, wanted: Rights) -> None:
    """Invalid where the owner holds one of these scopes for some of these products alone."""
    for scope, products in sorted(beyond(wanted, held).items()):
        assert products is not None  # a scope that is not held was refused before, and reading is never limited
        raise rules.wrong(
            "products",
            f"{owner.username} does not have {scope} for {', '.join(sorted(products))}: leave out the products or the "
            "scope.",
            "not_allowed",
        )


def _why(owner: User, withheld: frozenset[str], *, is_own: bool) -> str:
    if not withheld:
        return f"{owner.username} does not have this scope."
    if is_own:
        return (
            f"{owner.username} does not have this scope, or has to make the token signed in with a second factor, as "
            f"this tenant requires it: only then it carries {' and '.join(sorted(withheld))}."
        )
    return (
        f"{owner.username} does not have this scope, or has to make the token themselves: "
        f"only then it carries {' and '.join(sorted(withheld))}."
    )


def _owner(by: Actor, tenant_id: UUID, user_id: UUID) -> tuple[User, Rights, ServiceAccount | None]:
    """The account the token is for, with the rights it holds now, and the service that it is."""
    services = ServiceAccount.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    service = services.filter(tenant_id=tenant_id, user_id=user_id).first()  # one that ends meanwhile gets no token
    if service is not None:
        owners = set(service.owners.filter(ended_at=None).values_list("owner_id", flat=True))
        rules.check_may_issue_token(by, user_id, owners)
        if by.kind == "person":
            lock_membership(tenant_id, by.account)  # a member who leaves at this moment issues nothing any more
        return service.user, service.rights, service
    person = lock_membership(tenant_id, user_id).user
    rules.check_may_issue_token(by, user_id, None)
    return person, rights_held(tenant_id, user_id), None
