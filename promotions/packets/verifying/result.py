"""The result of a verification: one check after the other, and their sum (contract.md, POST /evidence/verify)."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from promotions.packets.verifying.said import SAYS_NOTHING, Said

Result = Literal["passed", "failed", "skipped"]
CHECKS: Final = (
    "schema",
    "key",
    "signature",
    "contentHash",
    "manifest",
    "subjects",
    "stored",
    "record",
    "envelope",
    "promotion",
    "auditHead",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, by its name."""

    name: str
    result: Result
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """``valid`` when nothing failed and a signature was verified; ``complete`` when every check passed, too.

    The rest says what the document claims to be.
    """

    kind: Literal["packet", "envelope", "unknown"]
    checks: tuple[Check, ...]
    packet_id: str | None = None
    packet_type: str | None = None
    generated_at: str | None = None
    key_id: str | None = None
    said: Said = SAYS_NOTHING

    @property
    def valid(self) -> bool:
        signed = any(check.name == "signature" and check.result == "passed" for check in self.checks)
        return signed and all(check.result != "failed" for check in self.checks)

    @property
    def complete(self) -> bool:
        return self.valid and all(check.result == "passed" for check in self.checks)

    def with_check(self, check: Check) -> "Verification":
        """The same with one check more."""
        return replace(self, checks=(*self.checks, check))

    def with_result(self, check: Check) -> "Verification":
        """The same with this check in place of the one of its name."""
        return replace(self, checks=tuple(check if each.name == check.name else each for each in self.checks))

    def as_json(self) -> dict[str, Any]:
        """The result in wire names."""
        return {
            "valid": self.valid,
            "kind": self.kind,
            "packetId": self.packet_id,
            "type": self.packet_type,
            "generatedAt": self.generated_at,
            "keyId": self.key_id,
            **self.said.as_json(),
            "checks": [{"name": check.name, "result": check.result, "message": check.message} for check in self.checks],
        }
