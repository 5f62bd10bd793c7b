"""Numbers of things in sentences. Pure."""


def counted(number: int, what: str) -> str:
    """`1 approval`, `2 approvals`: for words whose plural takes an s."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
