"""Version 1, for decisions that were made with it."""

from typing import Any, Final

from policies.gates.evidence import judging

KIND: Final = "evidence"
KIND_VERSION: Final = 1
RANK: Final = judging.RANK
SUMMARY: Final = judging.SUMMARY
CONFIG_SCHEMA: Final[dict[str, Any]] = judging.VERSION_1

check_config = judging.check_config
judge = judging.judge
