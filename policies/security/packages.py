"""Package URLs in their normal form, taken apart by their separators: what is judged needs no more of them.

The parsers store normal forms, in which every `@`, `?` and `#` inside a part is percent-encoded.
"""

from typing import NamedTuple
from urllib.parse import unquote


class Package(NamedTuple):
    """`name` is everything before the version: type, namespace and name. `qualifiers` as they are written, `k=v`."""

    name: str
    version: str | None
    qualifiers: frozenset[str]
    subpath: str | None

    def covers(self, other: "Package") -> bool:
        """Whether a statement about this package speaks of the other one too.

        What this one leaves out (version, a qualifier, the subpath) it says of all; what it has must be the same.
        """
        return (
            self.name == other.name
            and self.version in (None, other.version)
            and self.qualifiers <= other.qualifiers
            and self.subpath in (None, other.subpath)
        )


def package(purl: str) -> Package:
    """The parts of a package URL in normal form."""
    rest, _, subpath = purl.partition("#")
    rest, _, qualifiers = rest.partition("?")
    cut = rest.rfind("@")
    name, version = (rest[:cut], rest[cut + 1 :]) if cut > rest.rfind("/") else (rest, None)
    return Package(name, version or None, frozenset(qualifiers.split("&")) - {""}, subpath or None)


def image_digest(wanted: Package) -> str | None:
    """The digest that an image's package URL names (`pkg:oci/web@sha256%3A…`), or None for any other package."""
    if not wanted.name.startswith("pkg:oci/") or wanted.version is None:
        return None
    return unquote(wanted.version)
