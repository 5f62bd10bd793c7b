"""What a document says that it is: its result, and what that is about. Parts of any form; nothing is verified here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Said:
    """The signed parts that a reader compares; None for a part that the document does not have.

    ``result``: of a decision `allow` or `deny`, of a deployment or rollback the reported status, of a human decision
    what was decided.
    """

    tenant_id: str | None = None
    result: str | None = None
    environment_id: str | None = None
    environment_name: str | None = None
    promotion_id: str | None = None
    promotion_number: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The parts in wire names."""
        environment = {"id": self.environment_id, "name": self.environment_name}
        promotion = {"id": self.promotion_id, "number": self.promotion_number}
        return {
            "tenantId": self.tenant_id,
            "result": self.result,
            "environment": environment if any(environment.values()) else None,
            "promotion": promotion if any(promotion.values()) else None,
        }


SAYS_NOTHING: Final = Said()


def said_by_content(tenant_id: Any, content: Any) -> Said:
    """Of a packet, or of the envelope of one."""
    execution, environment, promotion = (_part(content, name) for name in ("execution", "environment", "promotion"))
    return Said(
        tenant_id=text(tenant_id),
        result=text(execution.get("status") if execution else _part(content, "decision").get("result")),
        environment_id=text(environment.get("id")),
        environment_name=text(environment.get("name")),
        promotion_id=text(promotion.get("id")),
        promotion_number=_number(promotion.get("number")),
    )


def said_by_person(predicate: Mapping[str, Any]) -> Said:
    """Of a human decision."""
    return Said(
        tenant_id=text(predicate.get("tenantId")),
        result=text(predicate.get("decision")),
        promotion_id=text(predicate.get("promotionId")),
    )


def type_of_content(content: Any) -> str | None:
    """The type of the packet that an envelope, which does not name it, belongs to."""
    if not isinstance(content, Mapping) or "execution" not in content:
        return None
    if content["execution"] is None:
        return "release_decision"
    return "rollback" if _part(content, "execution").get("status") == "rolled_back" else "deployment"


def text(value: Any) -> str | None:
    return value[:200] if isinstance(value, str) else None


def _part(content: Any, name: str) -> Mapping[str, Any]:
    part = content.get(name) if isinstance(content, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < 2**63 else None
