"""Package URLs in their normal form, taken apart by their separators: what is judged needs no more of them.

The parsers store normal forms, in which every `@`, `?` and `#` inside a part is percent-encoded.
"""

from typing import Final, NamedTuple
from urllib.parse import unquote

_PART_OF_VERSION: Final = frozenset({"epoch"})
"""An rpm's epoch comes before its version, and a package URL has it as a qualifier."""


class Package(NamedTuple):
    """`name` is everything before the version: type, namespace and name. `qualifiers` as they are written, `k=v`."""

    name: str
    version: str | None
    qualifiers: frozenset[str]
    subpath: str | None

    def covers(self, other: "Package") -> bool:
        """Whether a statement about this package covers the other one too.

        Scanners write qualifiers each in its own way, so a version identifies the package, with the `epoch` that
        belongs to it. Without a version, the parts that both have must be the same; a part that this one leaves out
        (version, subpath, a qualifier) means all.
        """
        if self.name != other.name or self.subpath not in (None, other.subpath):
            return False
        if self.version not in (None, other.version):
            return False
        if not self.qualifiers:
            return True
        mine, theirs = _by_name(self.qualifiers), _by_name(other.qualifiers)
        compared = mine.keys() if self.version is None else _PART_OF_VERSION
        return all(mine[name] == theirs[name] for name in compared & mine.keys() & theirs.keys())

    def covers_to_the_letter(self, other: "Package") -> bool:
        """The same where each qualifier that this one writes must be equal."""
        return (
            self.name == other.name
            and self.version in (None, other.version)
            and self.qualifiers <= other.qualifiers
            and self.subpath in (None, other.subpath)
        )


def _by_name(qualifiers: frozenset[str]) -> dict[str, str]:
    return {name: value for name, _, value in (each.partition("=") for each in qualifiers)}


def package(purl: str) -> Package:
    """The parts of a package URL in normal form."""
    rest, _, subpath = purl.partition("#")
    rest, _, qualifiers = rest.partition("?")
    cut = rest.rfind("@")
    name, version = (rest[:cut], rest[cut + 1 :]) if cut > rest.rfind("/") else (rest, None)
    return Package(name, version or None, frozenset(qualifiers.split("&")) - {""}, subpath or None)


def without_qualifiers(purl: str) -> str:
    """The package URL without what stands between `?` and `#`."""
    rest, mark, subpath = purl.partition("#")
    return f"{rest.partition('?')[0]}{mark}{subpath}"


def image_digest(wanted: Package) -> str | None:
    """The digest that an image's package URL names (`pkg:oci/web@sha256%3A…`), or None for any other package."""
    if not wanted.name.startswith("pkg:oci/") or wanted.version is None:
        return None
    return unquote(wanted.version)
