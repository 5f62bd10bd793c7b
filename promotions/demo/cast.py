"""The cast of the demo: the tenant Kestrel Pay with its people, machines, policies and environments."""

from dataclasses import dataclass, replace

from environments.actions.create_environment import create_environment
from environments.models import Environment
from policies.actions.create_approval_policy import create_approval_policy
from policies.actions.create_promotion_policy import create_promotion_policy
from policies.actions.publish_promotion_policy import publish_promotion_policy
from promotions.actions.create_tenant import create_tenant
from promotions.actions.products import create_product, update_product
from stellapromote.accounts.actor import Actor
from stellapromote.accounts.actor_lookup import actor_for_session
from stellapromote.accounts.command_line import command_actor
from stellapromote.accounts.models import ServiceAccount, Tenant, User
from stellapromote.accounts.scopes import (
    EVIDENCE_WRITE,
    PROMOTION_DEPLOY,
    PROMOTION_READ,
    PROMOTION_REQUEST,
    RELEASE_READ,
    RELEASE_WRITE,
)
from stellapromote.accounts.sign_in import SignIn
from stellapromote.clock import Clock
from stellapromote.identity.actions.add_member import add_member
from stellapromote.identity.actions.add_service import add_service
from stellapromote.identity.actions.create_team import create_team
from stellapromote.identity.actions.grant_role import grant_role
from stellapromote.identity.actions.grant_team import grant_team
from stellapromote.ids import new_id
from stellapromote.patterns import OWNERS as OWNERS_OF_PRODUCT

SLUG, NAME = "kestrel-pay", "Kestrel Pay"


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    name: str
    roles: tuple[str, ...]
    teams: tuple[str, ...] = ()
    does: str = ""


PEOPLE = (
    Person(
        "nia",
        "Nia Okafor",
        ("approver",),
        ("release", "payments", "checkout"),
        "approves for the release team: sign in first",
    ),
    Person("mei", "Mei Tanaka", ("approver",), ("security", "checkout"), "approves for security"),
    Person("tomas", "Tomás Silva", ("operator",), (), "requests promotions"),
    Person("ravi", "Ravi Menon", ("operator", "approver"), (), "builds releases, may vote on what he did not build"),
    Person("greta", "Greta Lindqvist", ("admin",), (), "administers: policies, freezes, members; has no vote"),
    Person("idris", "Idris Haddad", ("auditor",), (), "replays and verifies"),
)

CI, SCANNER = "ci-runner", "scanner"
INTERNAL = "handbook"
"""The product that no customer sees: its path ends before production."""
OWNER_TEAMS = {"payments": "payments", "checkout": "checkout", "ledger": "payments", INTERNAL: "checkout"}
"""The owner team of each product."""
OWNERS = {CI: "tomas", SCANNER: "mei"}
"""The owner of each machine. The scanner's owner is not the requester: its scans count on requests of tomas."""


class Changed(Exception):
    """The tenant was changed so that the story cannot go on there; the text is a sentence about it."""


@dataclass(frozen=True, slots=True)
class Cast:
    """The tenant as the story needs it: actors by username, machines by name, and the three environments.

    The scanner is missing in a tenant that an older version assembled, where production asks for no scans.
    """

    tenant: Tenant
    actors: dict[str, Actor]
    dev: Environment
    staging: Environment
    production: Environment


def assemble(passphrase: str, clock: Clock) -> Cast:
    """Creates the tenant and its cast, through the product's own actions."""
    tenant = create_tenant(slug=SLUG, name=NAME, by=command_actor(), is_demo=True, clock=clock)
    by = command_actor(tenant)
    for team in ("release", "security", "payments", "checkout"):
        create_team(by=by, clock=clock, slug=team, name=f"{team.capitalize()} team")
    for person in PEOPLE:
        user = add_member(
            by=by, clock=clock, username=person.username, display_name=person.name, password=passphrase
        ).user
        for role in person.roles:
            grant_role(by=by, clock=clock, user_id=user.pk, role=role)
        for team in person.teams:
            grant_team(by=by, clock=clock, user_id=user.pk, team=team)
    for name, scopes in (
        (CI, [PROMOTION_READ, PROMOTION_REQUEST, PROMOTION_DEPLOY, RELEASE_READ, RELEASE_WRITE, EVIDENCE_WRITE]),
        (SCANNER, [EVIDENCE_WRITE]),
    ):
        add_service(by=by, clock=clock, name=name, owners=[OWNERS[name]], scopes=scopes)
    greta = _person(tenant, "greta")
    create_approval_policy(
        by=greta,
        clock=clock,
        content={
            "name": "two-person-rule",
            "description": "Two-person rule: one of the release team and one of security.",
            "rules": [
                {"name": "release", "teams": ["release"], "minApprovals": 1},
                {"name": "security", "teams": ["security"], "minApprovals": 1},
            ],
        },
    )
    for product, team in OWNER_TEAMS.items():
        create_product(by=greta, clock=clock, slug=product, display_name=product.capitalize(), owner_teams=[team])
    create_approval_policy(
        by=greta,
        clock=clock,
        content={
            "name": "owners",
            "description": "One of the team that owns the product.",
            "rules": [{"name": "owners", "teams": [OWNERS_OF_PRODUCT], "minApprovals": 1}],
            "separationOfDuties": {"excludeReleaseCreator": False},
        },
    )
    create_promotion_policy(
        by=greta,
        clock=clock,
        name="scanned",
        document={
            "gates": [
                {
                    "kind": "security",
                    "name": "cve",
                    "appliesTo": ["forward"],
                    "config": {
                        "trustedUploaders": [OWNERS[SCANNER]],
                        "rules": {"release-aggregate-cve": {"maxCritical": 0, "maxHigh": 0, "maxMedium": 5}},
                    },
                }
            ]
        },
    )
    publish_promotion_policy(by=greta, clock=clock, name="scanned")
    create_environment(by=greta, clock=clock, name="dev", display_name="Development", order_index=1)
    create_environment(
        by=greta, clock=clock, name="staging", display_name="Staging", order_index=2, approval_policies=["owners"]
    )
    create_environment(
        by=greta,
        clock=clock,
        name="production",
        display_name="Production",
        order_index=3,
        promotion_policy="scanned",
        approval_policies=["two-person-rule"],
        require_separation_of_duties=True,
    )
    update_product(by=greta, clock=clock, slug=INTERNAL, changes={"path": ["dev", "staging"]})
    return recall(tenant)


def recall(tenant: Tenant) -> Cast:
    """The cast of a tenant assembled before, with its present rights. Raises Changed."""
    actors = {person.username: _person(tenant, person.username) for person in PEOPLE}
    for service in ServiceAccount.objects.select_related("user").filter(tenant=tenant, name__in=OWNERS):
        actors[service.name] = replace(
            actors[OWNERS[service.name]],
            kind="service",
            user_id=service.user.pk,
            username=service.user.username,
            display_name=service.user.display_name,
            roles=(),
            scopes=frozenset(service.scopes),
            auth_method="token",
        )
    if CI not in actors:
        raise Changed(f"the service account {CI} is gone.")
    return Cast(tenant, actors, *(_environment(tenant, name) for name in ("dev", "staging", "production")))


def _environment(tenant: Tenant, name: str) -> Environment:
    found = Environment.objects.filter(tenant=tenant, name=name).first()
    if found is None:
        raise Changed(f"there is no environment {name} any more.")
    return found


def _person(tenant: Tenant, username: str) -> Actor:
    user = User.objects.filter(username=username).first()
    actor = None
    if user is not None:
        sign_in = SignIn(new_id())
        actor = actor_for_session(user.pk, tenant.slug, sign_in=sign_in, address=None, request_id=None).actor
    if actor is None:
        raise Changed(f"{username} is no member of {tenant.slug} any more.")
    return actor
