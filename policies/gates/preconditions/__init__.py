"""preconditions: release, environments and subject are still what was asked for (domain.md §4, start check; §6)."""
