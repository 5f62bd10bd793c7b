"""One passphrase for the demo people, made per installation and never committed."""

import hashlib
from pathlib import Path

from stellapromote.generated_secrets import secret_from_file

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_GROUPS, _SYLLABLES = 4, 3


def demo_passphrase(state: Path) -> str:
    """The passphrase that belongs to the secret in ``state``: four groups of three syllables, about 73 bits."""
    number = int.from_bytes(hashlib.sha256(secret_from_file(state / "demo-secret").encode()).digest(), "big")
    groups = []
    for _ in range(_GROUPS):
        syllables = []
        for _ in range(_SYLLABLES):
            number, consonant = divmod(number, len(_CONSONANTS))
            number, vowel = divmod(number, len(_VOWELS))
            syllables.append(_CONSONANTS[consonant] + _VOWELS[vowel])
        groups.append("".join(syllables))
    return "-".join(groups)
