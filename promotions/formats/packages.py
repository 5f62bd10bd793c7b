"""Names of packages and artifacts: package URLs in their normal form, `sha256:` digests. Pure."""

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from urllib.parse import unquote

from packageurl import PackageURL

from promotions.formats.reading import MISMATCH, DocumentRefused, at, check_line

LONGEST_PURL: Final = 1000

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-f]{64}")


# A package URL of this form is its own normal form: every rule of its type changes only what is left out here (capital
# letters and underscores in names, anything that is percent-encoded). Nine in ten are of it, and the library takes a
# hundred times as long.
_NORMAL: Final = re.compile(
    r"pkg:(?:apk|cargo|deb|gem|generic|golang|maven|npm|nuget|rpm)(?:/[a-z0-9][a-z0-9.-]*){1,8}"
    r"@[A-Za-z0-9][A-Za-z0-9.~-]*"
    r"(?:\?(?P<qualifiers>[a-z]+=[A-Za-z0-9.~-]+(?:&[a-z]+=[A-Za-z0-9.~-]+)*))?"
)


def _is_normal(text: str) -> bool:
    found = _NORMAL.fullmatch(text)
    if found is None:
        return False
    qualifiers = found["qualifiers"]
    if qualifiers is None or "&" not in qualifiers:
        return True
    names = [each.partition("=")[0] for each in qualifiers.split("&")]
    return all(one < other for one, other in pairwise(names))


@lru_cache(maxsize=20_000)
def _parsed(text: str) -> PackageURL:
    return PackageURL.from_string(text)


@lru_cache(maxsize=20_000)
def _normal(text: str) -> str:
    normal: str = _parsed(text).to_string()
    return normal


def normal_purl(text: str, place: str) -> str:
    """The purl in its normal form, in which the same package has the same text. DocumentRefused when it is none."""
    if _is_normal(text):
        return text
    try:
        return _normal(text)
    except ValueError as error:
        raise DocumentRefused(f"This is no package URL: {str(error)[:120]}", place) from None


def maybe_purl(holder: dict[str, Any], name: str, place: str) -> str | None:
    """The package URL of a member; None where it is absent or blank."""
    if holder.get(name) is None:
        return None
    text = check_line(holder[name], at(place, name), longest=LONGEST_PURL)
    return None if text is None else normal_purl(text, at(place, name))


def made_purl(kind: str, namespace: str | None, name: str, version: str | None, place: str) -> str:
    """A package URL of its parts, for reports that name packages in other ways."""
    plain = f"pkg:{kind}/{f'{namespace}/' if namespace else ''}{name}{f'@{version}' if version else ''}"
    if _is_normal(plain):
        return plain
    try:
        made: str = PackageURL(kind, namespace, name, version).to_string()
    except ValueError as error:
        raise DocumentRefused(f"This names no package: {str(error)[:120]}", place) from None
    return made


def image_digest(purl: str) -> str | None:
    """The digest of the image that an `oci` package URL, in normal form, names exactly."""
    if not purl.startswith("pkg:oci/"):
        return None
    version = unquote(_parsed(purl).version or "")
    return version if _DIGEST.fullmatch(version) else None


def is_image(purl: str) -> bool:
    """Whether a package URL in normal form names an image: it speaks of artifacts, not of packages in them."""
    return purl.startswith(("pkg:oci/", "pkg:docker/"))


def digests_in(*texts: object) -> set[str]:
    """Every `sha256:…` that stands in the texts, as in `registry.example/app@sha256:…`."""
    return {found for text in texts if isinstance(text, str) for found in _DIGEST.findall(text.lower())}


def digest_of_hex(value: object) -> str | None:
    """`sha256:…` of the 64 digits of a hash, or None."""
    text = value.lower() if isinstance(value, str) else ""
    return f"sha256:{text}" if _HEX.fullmatch(text) else None


def check_names(artifact: str, named: set[str], place: str, *, also: Collection[str] = ()) -> bool:
    """Whether a document says by digest that it is about the artifact it is sent for.

    DocumentRefused (mismatch) when it names others only. ``also``: digests that may name it, and say nothing of others.
    """
    if artifact in named or artifact in also:
        return True
    if named:
        shown = ", ".join(sorted(named)[:3])
        raise DocumentRefused(f"The document is about {shown}, not about {artifact}.", place, code=MISMATCH)
    return False
