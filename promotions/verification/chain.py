"""Whether an audit chain holds, for the command that verifies everything at once. The worker follows it in steps."""

from uuid import UUID

from promotions.packets.audit_heads import verify_log
from promotions.verification.mismatch import Mismatch, chain_mismatch
from stellapromote.audit.chain import Break


def check_chain(tenant_id: UUID | None) -> list[Mismatch]:
    """The first break of the chain (None: the system's), at most one. Must be called outside a transaction; reads
    every event of the chain, 2000 at a time."""
    broken = verify_log(tenant_id).broken
    # A packet whose signature does not fit says nothing of the chain, and is a finding already.
    return [] if broken is None or broken.reason is Break.HEAD_UNSIGNED else [chain_mismatch(broken)]
