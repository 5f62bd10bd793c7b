from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from stellapromote.accounts.rights import Rights
from stellapromote.accounts.scopes import NEVER_FOR_SERVICES, lacking, role_of, scopes_of
from stellapromote.errors import Refused


@dataclass(frozen=True, slots=True)
class SecondPerson:
    """The second person of a proposal, and the text that they read (domain.md §5, loosening).

    ``read`` are the sentences, ``guards`` the names of the protected environments that they are about, ``policies`` the
    versions of the policies that it names. ``user_id`` None: the platform owner, by a command. ``proposal_id`` None:
    they published the draft of another person.
    """

    proposal_id: UUID | None
    user_id: UUID | None
    username: str
    display_name: str
    read: tuple[str, ...]
    guards: frozenset[str] = frozenset()
    policies: tuple[str, ...] = ()


class SecondFactorRequired(Refused):
    """The tenant requires a second factor of a person who decides, and this session or token has none
    (docs/adr/0237)."""

    code = "PERM_SECOND_FACTOR"

    def __init__(self, auth_method: str) -> None:
        super().__init__(
            "This tenant requires a second factor of a person who decides, and this token was made without one: set "
            "one up in your settings, sign in with it, and make another token."
            if auth_method == "token"
            else "This tenant requires a second factor of a person who decides: set one up in your settings, or sign "
            "out and in again with the one that you have."
        )


@dataclass(frozen=True, slots=True)
class Actor:
    """The acting account, its tenant and its rights at this moment. Actions take it as ``by``.

    ``tenant_id`` is None only for tenantless system events (sign-in failures, commands before a tenant exists).
    ``roles`` have the names under which grants store them. ``limits``: for each of the ``scopes`` that counts for the
    releases and promotions of some products alone, these products; by the roles, by the service, or by the token.
    ``products``: those to which the token is limited; none: it is not.
    ``second_factor``: the person proved one in this session, or in the one in which they made this token.
    ``lacks_second_factor``: the tenant required one when the actor was found, and there is none.
    ``second``: the person who confirmed the proposal of this actor that is carried out now (auth_method `proposal`).
    """

    kind: Literal["person", "service", "system"]
    user_id: UUID | None
    username: str
    display_name: str
    tenant_id: UUID | None
    tenant_slug: str
    roles: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    limits: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    auth_method: Literal["session", "token", "command", "worker", "proposal"] = "session"
    token_id: UUID | None = None
    token_issuer_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    tenant_is_demo: bool = False
    second: SecondPerson | None = None
    products: tuple[str, ...] = ()
    second_factor: bool = False
    lacks_second_factor: bool = False

    @property
    def tenant(self) -> UUID:
        """The tenant acted in. Raises Refused PERM_TENANT_REQUIRED for an actor without one."""
        if self.tenant_id is None:
            raise Refused("This needs a tenant: name the one you mean.", code="PERM_TENANT_REQUIRED")
        return self.tenant_id

    @property
    def account(self) -> UUID:
        """The account that acts. Raises Refused PERM_DENIED for the system, which asks for nothing by itself."""
        if self.user_id is None:
            raise Refused("This is done by a person or a service account, not by the system.", code="PERM_DENIED")
        return self.user_id

    @property
    def role_names(self) -> list[str]:
        """The roles, limited to products or not."""
        return sorted(map(role_of, self.roles))

    @property
    def role_labels(self) -> list[tuple[str, str]]:
        """Each role, and its name with the products for which alone it counts."""
        return [
            (role, self._label(role, stored)) for role, stored in sorted((role_of(each), each) for each in self.roles)
        ]

    def _label(self, role: str, stored: str) -> str:
        if role == stored:
            return role
        own = scopes_of((stored,))
        products = {each for scope in own.intersection(self.limits) for each in self.limits[scope]}
        return f"{role} for {', '.join(sorted(products))}"

    def has(self, scope: str) -> bool:
        """Whether the actor holds it, for some product at least."""
        return scope in self.scopes

    def has_for(self, product: str, *scopes: str) -> bool:
        """Whether one of the scopes counts for releases and promotions of the product."""
        return any(scope in self.scopes and product in self.limits.get(scope, (product,)) for scope in scopes)

    def has_everywhere(self, *scopes: str) -> bool:
        """Whether one of the scopes counts for all products."""
        return any(scope in self.scopes and scope not in self.limits for scope in scopes)

    def products_of(self, *scopes: str) -> Collection[str] | None:
        """The products for which one of the scopes counts; None: all of them."""
        if self.has_everywhere(*scopes):
            return None
        return frozenset().union(*(self.limits.get(scope, ()) for scope in scopes if scope in self.scopes))

    def require_in_person(self) -> None:
        """Raises Refused PERM_DENIED for a token of a person that another person issued: nobody vouches in the name of
        another (docs/adr/0158)."""
        if self.kind == "person" and self.auth_method == "token" and self.token_issuer_id != self.user_id:
            raise Refused(
                f"{self.username} did not issue this token, so it confirms nothing in their name: sign in, or use a "
                "token that they made themselves.",
                code="PERM_DENIED",
            )

    def require_product(self, product: str, *scopes: str) -> None:
        """One of the scopes, for releases and promotions of the product. Raises Refused PERM_DENIED for want of it, or
        where it counts for other products alone (domain.md §1b)."""
        self.require(*scopes)
        if self.has_for(product, *scopes):
            return
        if self.products and product not in self.products:
            products = sorted(self.products)
            message = f"This token is limited to {', '.join(products)}: use one that is not, or is for {product}."
        else:
            products = sorted(self.products_of(*scopes) or ())
            right = " or ".join(each for each in scopes if each in self.scopes)
            message = (
                f"Your right {right} is limited to {', '.join(products)}: ask an administrator of the tenant for it "
                f"for {product}."
            )
        raise Refused(message, code="PERM_DENIED", details={"product": product, "products": products})

    def require_everywhere(self, *scopes: str) -> None:
        """One of the scopes, for all products. Raises Refused PERM_DENIED."""
        self.require(*scopes)
        if not self.has_everywhere(*scopes):
            products = sorted(self.products_of(*scopes) or ())
            raise Refused(
                f"This is about the whole tenant, and your right is limited to {', '.join(products)}: ask an "
                "administrator, or a person who has it for all products.",
                code="PERM_DENIED",
                details={"products": products},
            )

    def require_second_factor(self, *, required: bool = False) -> None:
        """Raises SecondFactorRequired for a person without one who decides or confirms. ``required``: by facts that are
        newer than the actor."""
        by_person = self.kind == "person" and self.auth_method in ("session", "token")
        if by_person and (self.lacks_second_factor or (required and not self.second_factor)):
            raise SecondFactorRequired(self.auth_method)

    def require(self, *scopes: str) -> None:
        """Any one of them. Raises Refused PERM_DENIED that names what is missing, or SecondFactorRequired where it is
        missing for want of one."""
        if self.scopes.isdisjoint(scopes):
            if self.auth_method == "token" and not NEVER_FOR_SERVICES.isdisjoint(scopes):
                self.require_second_factor()
            narrowed = self.auth_method == "token" and not scopes_of(self.roles).isdisjoint(scopes)
            raise Refused(
                f"This token does not carry the right {' or '.join(scopes)}: use one that does."
                if narrowed
                else lacking(*scopes),
                code="PERM_DENIED",
                details={"scope": scopes[0]} if len(scopes) == 1 else {"scopes": list(scopes)},
            )


def scopes_and_limits(rights: Rights) -> dict[str, Any]:
    """The fields of an Actor with these rights."""
    limits = {scope: products for scope, products in rights.items() if products is not None}
    return {"scopes": frozenset(rights), "limits": limits}


def system_actor(tenant_id: UUID | None, tenant_slug: str) -> Actor:
    """The worker: it holds no scopes and calls only actions that time or committed facts trigger."""
    return Actor(
        kind="system",
        user_id=None,
        username="system",
        display_name="StellaPromote",
        tenant_id=tenant_id,
        tenant_slug=tenant_slug,
        auth_method="worker",
    )
