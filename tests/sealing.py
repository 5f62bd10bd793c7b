"""Sealing the audit chains as the worker does."""

from stellapromote.audit.sealer import BATCH, chains_with_pending, seal_some


def seal_pending(limit: int = BATCH) -> int:
    """Seals up to `limit` events of each chain; how many in all."""
    return sum(seal_some(chain, limit) for chain in chains_with_pending())
