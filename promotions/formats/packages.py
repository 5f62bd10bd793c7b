"""Names of packages and artifacts: package URLs in their normal form, `sha256:` digests. Pure."""

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from urllib.parse import unquote

from packageurl import PackageURL

from promotions.formats.document import UNBOUND, Binding, Context
from promotions.formats.left_out import Omissions
from promotions.formats.lines import escaped_line
from promotions.formats.reading import MISMATCH, DocumentRefused, at, check_line
from stellapromote.patterns import DIGEST_ANYWHERE

LONGEST_PURL: Final = 1000
UNREADABLE_PURL: Final = "components whose package URL cannot be read"

_DIGEST = re.compile(DIGEST_ANYWHERE)
_REFERENCED = re.compile(f"@({DIGEST_ANYWHERE})")
_HEX = re.compile(r"[0-9a-f]{64}")


# Package URLs as most tools write them. Their normal form is the text with a few characters written in another way;
# the field's library finds the same in ten times as long, and reads all others.
# Nothing here may match one text in two ways, or a hostile one takes for ever.
_C = r"[A-Za-z0-9._~+-]"
_TEXT = rf"(?:{_C}|%2B|%3A|%40){_C}*(?:%(?:2B|3A|40){_C}*)*"
_VALUE = rf"(?:{_C}|%2B|%3A|%40|%2F){_C}*(?:%(?:2B|3A|40|2F){_C}*)*"
_LOWER = r"[a-z0-9.-]+"
_QUALIFIER = rf"[a-z][a-z0-9_.-]*={_VALUE}"
_PLAIN_PART = re.compile(rf"{_C}+")
_PLAIN = re.compile(
    rf"pkg:(?:(?:deb|rpm|maven|golang|gem|cargo|nuget|generic)/{_TEXT}(?:/{_TEXT})*"
    rf"|(?:npm|pypi|apk)/(?:(?:%40)?{_LOWER}/)?{_LOWER})"
    rf"(?:@{_TEXT})?(?:\?({_QUALIFIER}(?:&{_QUALIFIER})*))?"
)


@lru_cache(maxsize=20_000)
def _normal(text: str) -> str:
    plain = _PLAIN.fullmatch(text)
    if plain is None or not _in_order(plain[1]):
        normal: str = PackageURL.from_string(text).to_string()
        return normal
    return text.replace("+", "%2B").replace("%3A", ":").replace("%2F", "/")


def _in_order(qualifiers: str | None) -> bool:
    """Whether the qualifiers are sorted by name, each once."""
    if qualifiers is None:
        return True
    names = [each.partition("=")[0] for each in qualifiers.split("&")]
    return all(one < other for one, other in pairwise(names))


def normal_purl(text: str, place: str) -> str:
    """The purl in its normal form, in which the same package has the same text. DocumentRefused when it is none."""
    try:
        return _normal(text)
    except (ValueError, TypeError) as error:
        raise DocumentRefused(f"This is no package URL: {_why(error)}", place) from None


def maybe_purl(holder: dict[str, Any], name: str, place: str) -> str | None:
    """The package URL of a member; None where it is absent or blank."""
    if holder.get(name) is None:
        return None
    text = check_line(holder[name], at(place, name), longest=LONGEST_PURL)
    return None if text is None else normal_purl(text, at(place, name))


def readable_purl(holder: dict[str, Any], name: str, place: str, left_out: Omissions) -> str | None:
    """maybe_purl of a component: one that cannot be read is left out, and the component stays."""
    value = holder.get(name)
    if value is not None and not isinstance(value, str):
        raise DocumentRefused("This must be text.", at(place, name))
    try:
        return maybe_purl(holder, name, place)
    except DocumentRefused as refused:
        left_out.add(UNREADABLE_PURL, refused.place)
        return None


def any_purl(value: object) -> str | None:
    """The package URL that a scanner wrote; None for another text: its finding counts by its name then."""
    if not isinstance(value, str) or len(value) > LONGEST_PURL:
        return None
    try:
        return normal_purl(value.strip(), "")
    except DocumentRefused:
        return None


def made_purl(kind: str, namespace: str | None, name: str, version: str | None) -> str | None:
    """A package URL of its parts, for reports that name packages in other ways; None where they make none."""
    if all(_PLAIN_PART.fullmatch(each) for each in (namespace or "a", name, version or "a")):
        return _normal(f"pkg:{kind}/{f'{namespace}/' if namespace else ''}{name}{f'@{version}' if version else ''}")
    try:
        made: str = PackageURL(kind, namespace, name, version).to_string()
    except (ValueError, TypeError):
        return None
    return made


def _why(error: Exception) -> str:
    """The library raises TypeError for a name that is only a slash, encoded or not."""
    return "it has no name." if isinstance(error, TypeError) else escaped_line(str(error))[:120]


def image_digest(purl: str) -> str | None:
    """The digest of the image that an `oci` package URL, in its normal form, names exactly."""
    if not purl.startswith("pkg:oci/"):
        return None
    version = unquote(PackageURL.from_string(purl).version or "")
    return version if _DIGEST.fullmatch(version) else None


def named_by_purl(text: object, purl: str | None) -> set[str]:
    """The digests of images that a package URL names: `purl` is its normal form, None where it cannot be read."""
    if purl is None:
        return digests_in(unquote(text)) if isinstance(text, str) else set()
    return {digest for digest in (image_digest(purl),) if digest is not None}


def is_image(purl: str) -> bool:
    """Whether it names a container image: such a package URL speaks of artifacts, not of packages in them."""
    return purl.startswith(("pkg:oci/", "pkg:docker/"))


def names_some_versions(purl: str) -> bool:
    """Whether a package URL in its normal form is of some versions only, by a range (`vers`) or by the sum of a file,
    which no scanner writes and so no finding can be compared with."""
    if "?" not in purl:
        return False
    parsed = PackageURL.from_string(purl)
    return "vers" in parsed.qualifiers or (parsed.version is None and "checksum" in parsed.qualifiers)


def digests_in(*texts: object) -> set[str]:
    """Every `sha256:…` that stands in the texts, as in `registry.example/app@sha256:…`."""
    return {found for text in texts if isinstance(text, str) for found in _DIGEST.findall(text.lower())}


def named_in_reference(*texts: object) -> set[str]:
    """The digests of references such as `registry.example/app@sha256:…`, also as in a package URL: of names that may
    hold other digests, such as an image's id."""
    plain = (unquote(text).lower() for text in texts if isinstance(text, str))
    return {found for text in plain for found in _REFERENCED.findall(text)}


def digest_of_hex(value: object) -> str | None:
    """`sha256:…` of the 64 digits of a hash, or None."""
    text = value.lower() if isinstance(value, str) else ""
    return f"sha256:{text}" if _HEX.fullmatch(text) else None


def check_names(context: Context, named: set[str], place: str, *, also: Collection[str] = ()) -> Binding:
    """Whether a document names by digest the artifact it is sent for, or a part of it.

    The narrower counts: a document that names the artifact and a part is about the part, for a scanner names both and
    reads one platform. A document that names several parts is about the first of them. DocumentRefused (mismatch) when
    it names others only. ``also``: digests that may name the artifact, and need not.
    """
    every = named.union(also)
    if parts := every & context.parts:
        return Binding(by_digest=True, part=min(parts))
    if context.artifact in every:
        return Binding(by_digest=True)
    if named:
        shown = ", ".join(sorted(named)[:3])
        raise DocumentRefused(
            f"The document is about {shown}, not about {context.artifact}. If that is the manifest of one platform of"
            " this image, send the image's index first (kind index), or the document for that digest with parents.",
            place,
            code=MISMATCH,
        )
    return UNBOUND
