"""Forms of names and digests, for everything that is typed, sent or stored.

Written so that Python, JSON Schema and PostgreSQL read them alike. In Python they are used by ``compiled``, or by
re.fullmatch: its `$` alone also matches before a final line break, and no other's does.
"""

import re
from functools import lru_cache
from typing import Final

_SLUG: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_USERNAME: Final = "[a-z0-9][a-z0-9_-]{0,62}"

SLUG: Final = f"^{_SLUG}$"
"""Short names of tenants, teams, services, environments, products, policies and gates: a DNS label."""
SLUG_HELP: Final = "Use 1 to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit."

USERNAME: Final = f"^{_USERNAME}$"
"""Of a person. That of a service names its tenant, too (stellapromote/accounts/models/user.py)."""

TEAM_OR_USERNAME: Final = f"^(?:team:{_SLUG}|{_USERNAME})$"

OWNERS: Final = "@owners"
"""In place of a team in a rule: the owner teams of the promotion's product. No team has this name."""
TEAM_OR_OWNERS: Final = f"^(?:{OWNERS}|{_SLUG})$"

DIGEST_ANYWHERE: Final = "sha256:[0-9a-f]{64}"
"""Of a digest inside a longer text."""
DIGEST: Final = f"^{DIGEST_ANYWHERE}$"
DIGEST_HELP: Final = "Use sha256: and 64 lower-case hexadecimal digits."

HELP: Final = {SLUG: SLUG_HELP, DIGEST: DIGEST_HELP}
"""What is said where a text has another form; other patterns have other sentences in other places."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> re.Pattern[str]:
    """For ``search``, as JSON Schema and PostgreSQL mean it."""
    return re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern, re.ASCII)
