"""Version 1, for decisions that were made with it."""

from typing import Any, Final

from policies.gates.security import config, judging

KIND: Final = "security"
KIND_VERSION: Final = 1
RANK: Final = 40
SUMMARY: Final = "The vulnerability rules hold for what the reports of this release find."
CONFIG_SCHEMA: Final[dict[str, Any]] = config.CONFIG_SCHEMA

check_config = config.check_config
check_at_save = config.check_at_save
judge = judging.judge
