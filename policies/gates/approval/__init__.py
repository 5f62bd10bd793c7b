"""approval: enough of the right people have said yes, and nobody who may has said no (domain.md §5, §6)."""
