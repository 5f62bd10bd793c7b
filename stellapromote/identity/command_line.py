"""Who acts when a management command runs: the platform owner, named by their account on the server (domain.md §9)."""

import os
import pwd

from stellapromote.accounts.actor import Actor
from stellapromote.accounts.models import Tenant
from stellapromote.accounts.scopes import TENANT_ADMIN


def command_actor(tenant: Tenant | None = None) -> Actor:
    """The actor of a command, in a tenant or before there is one: it manages members and tokens, nothing else."""
    name = operating_system_user()
    return Actor(
        kind="system",
        user_id=None,
        username=name,
        display_name=f"{name} (command line)",
        tenant_id=None if tenant is None else tenant.id,
        tenant_slug="" if tenant is None else tenant.slug,
        scopes=frozenset({TENANT_ADMIN}),
        auth_method="command",
        tenant_is_demo=tenant is not None and tenant.is_demo,
    )


def operating_system_user() -> str:
    """The login name of the process's user, with who became it by sudo; its number where the system knows no name."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return f"{os.environ['SUDO_USER']} as {name}" if os.environ.get("SUDO_USER") else name
