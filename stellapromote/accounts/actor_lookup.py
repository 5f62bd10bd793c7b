"""From a session or a token's public id to an Actor: one SQL statement each, judged at every use (product.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from stellapromote.accounts.actor import Actor, SecondPerson, scopes_and_limits
from stellapromote.accounts.rights import Rights, common, limited, rights_of, united, without
from stellapromote.accounts.scopes import LIMITED_TO_PRODUCTS, NEVER_FOR_SERVICES
from stellapromote.accounts.sign_in import SignIn
from stellapromote.database_clock import TIME
from stellapromote.fastpath.prepared import Ahead, fetch, fetch_each

# Live rights of user u in tenant t; used by both lookups. A role is followed by the products for which it counts.
_RIGHTS = """
    EXISTS (SELECT 1 FROM accounts_membership m WHERE m.tenant_id = t.id AND m.user_id = u.id AND m.ended_at IS NULL),
    ARRAY(SELECT array_to_string(array_prepend(r.role, r.products), ' ') FROM accounts_rolegrant r
          WHERE r.tenant_id = t.id AND r.user_id = u.id AND r.ended_at IS NULL ORDER BY r.role),
    ARRAY(SELECT team.slug FROM accounts_teamgrant g JOIN accounts_team team ON team.id = g.team_id
          WHERE g.tenant_id = t.id AND g.user_id = u.id AND g.ended_at IS NULL ORDER BY team.slug),
    ARRAY(SELECT n.scope FROM accounts_scopegrant n
          WHERE n.tenant_id = t.id AND n.user_id = u.id AND n.ended_at IS NULL)
"""

# The rights of a service: none while no active member owns it. A scope is followed by the products for which it counts.
_SERVICE_SCOPES = """
    (SELECT s.scopes || ARRAY(
          SELECT concat(each, ' ', array_to_string(s.products, ' ')) FROM unnest(s.product_scopes) each)
     FROM accounts_serviceaccount s WHERE s.user_id = u.id AND s.tenant_id = t.id AND EXISTS (
          SELECT 1 FROM accounts_serviceowner o JOIN accounts_user p ON p.id = o.owner_id AND p.is_active
          JOIN accounts_membership m ON m.user_id = p.id AND m.tenant_id = t.id AND m.ended_at IS NULL
          WHERE o.service_id = s.id AND o.ended_at IS NULL))
"""

# Whether people who decide need a second factor in tenant t.
_SECOND_FACTOR = f"""
    EXISTS (SELECT 1 FROM accounts_signinsettings f WHERE f.tenant_id = t.id AND f.second_factor_from <= {TIME})
"""  # noqa: S608 - only a constant is put in

_TOKEN_SQL = f"""
SELECT k.id, k.secret_digest, k.scopes, k.product_scopes, k.products, k.expires_at, k.revoked_at, k.last_used_at,
       k.issuer_id, k.second_factor,
       u.id, u.username, u.display_name, u.kind, u.is_active, t.id, t.slug, t.is_demo,
       {TIME},
       {_SECOND_FACTOR},
       {_SERVICE_SCOPES},
       {_RIGHTS}
FROM accounts_apitoken k
JOIN accounts_user u ON u.id = k.user_id
JOIN accounts_tenant t ON t.id = k.tenant_id
WHERE k.public_id = %s
"""  # noqa: S608 - only constants are put in

_SESSION_SQL = f"""
SELECT EXISTS (SELECT 1 FROM accounts_endedsession e WHERE e.sign_in_id = %s AND e.tenant_id = t.id),
       {_SECOND_FACTOR},
       u.username, u.display_name, t.id, t.slug, t.is_demo, {_RIGHTS}
FROM accounts_user u
JOIN accounts_membership live ON live.user_id = u.id AND live.ended_at IS NULL
JOIN accounts_tenant t ON t.id = live.tenant_id
WHERE u.id = %s AND u.is_active AND u.kind = 'person' AND (%s::text IS NULL OR t.slug = %s)
ORDER BY t.slug
LIMIT 2
"""  # noqa: S608 - only the constants above are put in


_AUTHOR_SQL = f"""
SELECT u.username, u.display_name, u.kind, t.slug, t.is_demo, {_SERVICE_SCOPES}, {_RIGHTS}
FROM accounts_user u, accounts_tenant t
WHERE u.id = %s AND t.id = %s AND u.is_active
"""  # noqa: S608 - only the constants above are put in


@dataclass(frozen=True, slots=True)
class TokenRow:
    """The facts by which authentication judges a token, read at the database's time ``at``; ``actor`` is None when its
    owner has no live right to act, or it is a service that no active member owns."""

    token_id: UUID
    secret_digest: bytes
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    at: datetime
    actor: Actor | None


@dataclass(frozen=True, slots=True)
class TenantChoice:
    """``actor`` is None when the person has no membership of that name, or several and named none, or the session was
    ended in the tenant."""

    actor: Actor | None
    several: bool
    ended: bool = False


def actor_for_token(
    public_id: str, *, address: str | None, request_id: str | None, ahead: Ahead | None = None
) -> TokenRow | None:
    """The token with this public id, or None. The caller compares the secret before it believes anything else.

    ``ahead`` is read with it, and is to be dropped where the token is not believed.
    """
    if ahead is None:
        rows = fetch(_TOKEN_SQL, [public_id])
    else:
        rows, ahead.rows = fetch_each((_TOKEN_SQL, [public_id]), ahead.asked)
    if not rows:
        return None
    (
        token_id, secret_digest, token_scopes, product_scopes, products, expires_at, revoked_at, last_used_at,
        issuer_id, with_second_factor,
        user_id, username, display_name, kind, is_active, tenant_id, tenant_slug, is_demo,
        at, is_required, service_scopes, is_member, roles, teams, by_name,
    ) = rows[0]  # fmt: skip
    actor = None
    if is_active and (is_member if kind == "person" else service_scopes is not None):
        held = _held(kind, roles, by_name, service_scopes)
        is_own = kind == "person" and issuer_id == user_id
        second_factor = is_own and with_second_factor
        lacks = kind == "person" and is_required and not second_factor
        if not is_own or lacks:
            held = without(held, NEVER_FOR_SERVICES)
        given: Rights = dict.fromkeys(token_scopes)
        if products:
            given = limited(LIMITED_TO_PRODUCTS.intersection((*token_scopes, *product_scopes)), products)
        actor = Actor(
            kind=kind,
            user_id=user_id,
            username=username,
            display_name=display_name,
            tenant_id=tenant_id,
            tenant_slug=tenant_slug,
            roles=_names(roles),
            teams=tuple(teams),
            **scopes_and_limits(common(held, given)),
            products=tuple(products),
            second_factor=second_factor,
            lacks_second_factor=lacks,
            auth_method="token",
            token_id=token_id,
            token_issuer_id=issuer_id,
            address=address,
            request_id=request_id,
            tenant_is_demo=is_demo,
        )
    return TokenRow(token_id, bytes(secret_digest), expires_at, revoked_at, last_used_at, at, actor)


def actor_for_session(
    user_id: UUID, tenant_slug: str | None, *, sign_in: SignIn, address: str | None, request_id: str | None
) -> TenantChoice:
    """The person in the named tenant, or in their only one. A tenant they are no member of does not exist for them."""
    rows = fetch(_SESSION_SQL, [sign_in.id, user_id, tenant_slug, tenant_slug])
    if len(rows) != 1:
        return TenantChoice(None, several=len(rows) > 1)
    is_ended, is_required, username, display_name, tenant_id, slug, is_demo, _, roles, teams, by_name = rows[0]
    if is_ended:
        return TenantChoice(None, several=False, ended=True)
    actor = Actor(
        kind="person",
        user_id=user_id,
        username=username,
        display_name=display_name,
        tenant_id=tenant_id,
        tenant_slug=slug,
        roles=_names(roles),
        teams=tuple(teams),
        **scopes_and_limits(_held("person", roles, by_name, None)),
        second_factor=sign_in.second_factor,
        lacks_second_factor=is_required and not sign_in.second_factor,
        auth_method="session",
        address=address,
        request_id=request_id,
        tenant_is_demo=is_demo,
    )
    return TenantChoice(actor, several=False)


def actor_for_proposal(
    user_id: UUID, tenant_id: UUID, *, token_issuer_id: UUID | None, second: SecondPerson
) -> Actor | None:
    """The author of a proposal with the rights that they have now; None for an account that may not act any more."""
    rows = fetch(_AUTHOR_SQL, [user_id, tenant_id])
    if not rows:
        return None
    username, display_name, kind, slug, is_demo, service_scopes, is_member, roles, teams, by_name = rows[0]
    if not (is_member if kind == "person" else service_scopes is not None):
        return None
    return Actor(
        kind=kind,
        user_id=user_id,
        username=username,
        display_name=display_name,
        tenant_id=tenant_id,
        tenant_slug=slug,
        roles=_names(roles),
        teams=tuple(teams),
        **scopes_and_limits(
            without(_held(kind, roles, by_name, service_scopes), () if kind == "person" else NEVER_FOR_SERVICES)
        ),
        auth_method="proposal",
        token_issuer_id=token_issuer_id,
        tenant_is_demo=is_demo,
        second=second,
    )


def _held(kind: str, roles: Sequence[str], by_name: Sequence[str], service_scopes: Sequence[str] | None) -> Rights:
    """The rights of an account, from the texts that the statements read."""
    if kind == "person":
        return rights_of(map(_named_with_products, roles), by_name)
    named = map(_named_with_products, service_scopes or ())
    return united(*(limited((scope,), products or None) for scope, products in named))


def _names(roles: Sequence[str]) -> tuple[str, ...]:
    return tuple(_named_with_products(each)[0] for each in roles)


def _named_with_products(text: str) -> tuple[str, list[str]]:
    """Neither a role nor a scope nor a slug has a blank."""
    name, *products = text.split(" ")
    return name, products
