"""preconditions: release, environments and subject are still those of the request (domain.md §4, start check; §6)."""
