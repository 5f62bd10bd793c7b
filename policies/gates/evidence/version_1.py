"""Version 1, for decisions that were made with it."""

from typing import Any, Final

from policies.gates.evidence import judging

KIND: Final = "evidence"
KIND_VERSION: Final = 1
RANK: Final = 30
SUMMARY: Final = "Each artifact has the required documents, signed by trusted keys and young enough."
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.CONFIG_SCHEMA

check_config = judging.check_config
judge = judging.judge
