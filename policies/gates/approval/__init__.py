"""approval: enough of the right people approved, and no eligible person rejected (domain.md §5, §6)."""
