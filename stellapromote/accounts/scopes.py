"""Scopes and the roles that bundle them (product.md, Roles): the one place in code that defines rights."""

from collections.abc import Collection

ENVIRONMENT_READ = "environment:read"
ENVIRONMENT_WRITE = "environment:write"
PRODUCT_WRITE = "product:write"
RELEASE_READ = "release:read"
RELEASE_WRITE = "release:write"
PROMOTION_READ = "promotion:read"
PROMOTION_REQUEST = "promotion:request"
PROMOTION_CANCEL = "promotion:cancel"
PROMOTION_APPROVE = "promotion:approve"
PROMOTION_DEPLOY = "promotion:deploy"
PROMOTION_OVERRIDE = "promotion:override"
POLICY_READ = "policy:read"
POLICY_WRITE = "policy:write"
POLICY_PUBLISH = "policy:publish"
EVIDENCE_READ = "evidence:read"
EVIDENCE_WRITE = "evidence:write"
EVIDENCE_EXPORT = "evidence:export"
AUDIT_READ = "audit:read"
TENANT_ADMIN = "tenant:admin"

SCOPES: dict[str, str] = {
    ENVIRONMENT_READ: "See environments and freeze windows.",
    ENVIRONMENT_WRITE: "Create, change and archive environments and freeze windows.",
    PRODUCT_WRITE: "Create, change and archive products.",
    RELEASE_READ: "See releases and products.",
    RELEASE_WRITE: "Create, finalize and deprecate releases.",
    PROMOTION_READ: "See promotions, votes and decisions.",
    PROMOTION_REQUEST: "Request a promotion.",
    PROMOTION_CANCEL: "Cancel one's own request.",
    PROMOTION_APPROVE: "Vote on promotions, within approval policy and separation of duties.",
    PROMOTION_DEPLOY: "Report deployments.",
    PROMOTION_OVERRIDE: "Override one gate of one promotion; granted by name, in no role.",
    POLICY_READ: "See policies and gates.",
    POLICY_WRITE: "Edit approval policies and drafts of promotion policies.",
    POLICY_PUBLISH: "Publish promotion policies.",
    EVIDENCE_READ: "See evidence and verify it.",
    EVIDENCE_WRITE: "Upload evidence documents.",
    EVIDENCE_EXPORT: "Export evidence.",
    AUDIT_READ: "Read and verify the audit log.",
    TENANT_ADMIN: "Manage members, teams and tokens; cancel any promotion.",
}

VIEWER_SCOPES = frozenset({ENVIRONMENT_READ, RELEASE_READ, PROMOTION_READ, POLICY_READ, EVIDENCE_READ})

ROLES: dict[str, frozenset[str]] = {
    "viewer": VIEWER_SCOPES,
    "operator": VIEWER_SCOPES | {RELEASE_WRITE, PROMOTION_REQUEST, PROMOTION_CANCEL, PROMOTION_DEPLOY, EVIDENCE_WRITE},
    "approver": VIEWER_SCOPES | {PROMOTION_APPROVE},
    "auditor": VIEWER_SCOPES | {AUDIT_READ, EVIDENCE_EXPORT},
    "admin": VIEWER_SCOPES
    | {ENVIRONMENT_WRITE, PRODUCT_WRITE, POLICY_WRITE, POLICY_PUBLISH, EVIDENCE_EXPORT, TENANT_ADMIN},
}

NEVER_FOR_SERVICES = frozenset({PROMOTION_APPROVE, PROMOTION_OVERRIDE})
"""Scopes with which a person vouches: no machine holds them, nor a token that its person did not make (product.md,
Roles; docs/adr/0158)."""

LIMITED_TO_PRODUCTS = VIEWER_SCOPES | {RELEASE_WRITE, PROMOTION_REQUEST, PROMOTION_CANCEL, PROMOTION_DEPLOY}
"""Scopes of a token or service that is limited to products (domain.md §1b): what they write is a release or a
promotion, and has a product. Everybody reads all products; documents are about artifacts, which belong to none."""

LIMITED_ROLES: dict[str, str] = {"operator": "product_operator", "approver": "product_approver"}
"""Roles that may be granted for products alone, and the name under which such a grant is stored. A process of a version
before this finds no right under that name, so it takes no limited role for one of all products (docs/adr/0242)."""

_ROLES_WITHOUT_LIMIT = {stored: role for role, stored in LIMITED_ROLES.items()}
_STORED_ROLES = ROLES | {
    stored: ROLES[role] & (LIMITED_TO_PRODUCTS | {PROMOTION_APPROVE}) for role, stored in LIMITED_ROLES.items()
}
STORED_ROLES = tuple(_STORED_ROLES)
"""The names under which grants store their roles."""

GRANTED_BY_NAME = (PROMOTION_OVERRIDE,)
"""Scopes that a person gets by name and that no role has (domain.md §6)."""

ROLE_SENTENCES: dict[str, str] = {
    "viewer": "Reads environments, releases, promotions, policies, decisions and evidence.",
    "operator": "Creates releases, requests promotions, cancels their own, reports deployments, uploads evidence.",
    "approver": "Votes on promotions, still subject to approval policy and separation of duties.",
    "auditor": "Reads the audit log, exports, verifies and replays.",
    "admin": (
        "Manages environments, freezes, products, policies, members and tokens. Has no vote, cannot change their own "
        "roles."
    ),
}


def scopes_of(roles: "list[str] | tuple[str, ...]") -> frozenset[str]:
    """Union of the scopes of the roles, by their stored names; a role that the running version does not know grants
    nothing."""
    return frozenset().union(*(_STORED_ROLES.get(role, frozenset()) for role in roles))


def role_of(stored: str) -> str:
    """The role that is stored under this name."""
    return _ROLES_WITHOUT_LIMIT.get(stored, stored)


def is_limited(stored: str) -> bool:
    """Whether a role that is stored under this name counts for the products of its grant alone."""
    return stored in _ROLES_WITHOUT_LIMIT


def stored_role(role: str, products: Collection[str]) -> str:
    """The name under which a grant of the role for these products is stored; for all of them where none is given."""
    return LIMITED_ROLES[role] if products else role


def stored_names(role: str) -> list[str]:
    """The names under which grants of the role are stored, limited to products or not."""
    return [stored for stored in STORED_ROLES if role_of(stored) == role]


def roles_with(*scopes: str) -> tuple[str, ...]:
    """The stored names of the roles that have one of these scopes, limited ones included."""
    return tuple(role for role, held in _STORED_ROLES.items() if not held.isdisjoint(scopes))


def lacking(*scopes: str) -> str:
    """The sentence to a person who holds none of these: the right, the roles that have it, and the person to ask."""
    rights = ", or ".join(f"{scope}, which {_holders(scope)}" for scope in scopes)
    return f"This needs the right {rights}: ask an administrator of the tenant for it."


def _holders(scope: str) -> str:
    roles = [role for role, scopes in ROLES.items() if scope in scopes]
    if not roles:
        return "is given by name and in no role"
    if len(roles) == len(ROLES):
        return "every role has"
    return f"the role {roles[0]} has" if len(roles) == 1 else f"the roles {' and '.join(roles)} have"
