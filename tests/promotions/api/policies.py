"""The policy two-person, and an environment that it guards."""

from typing import Any

from stellapromote.accounts.models import Tenant, User
from tests.factories import actor_of, make_environment

TWO_PERSON = {
    "name": "two-person",
    "rules": [{"name": "release", "teams": ["release"]}, {"name": "security", "teams": ["security"]}],
}


def guard(tenant: Tenant, people: dict[str, User], name: str = "production", **options: Any) -> str:
    """An environment guarded by the policy two-person; its id."""
    options = {"approval_policies": ["two-person"], **options}
    return str(make_environment(actor_of(people["greta"], tenant), name, 10, **options).id)
