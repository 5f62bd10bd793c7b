"""The one platform that a scanner read, of an image for several. Pure.

A scanner that is given the digest of an index names the index in its report, and reads the manifest of one platform:
that of its machine or of its options. Platforms of an index are texts as promotions/formats/oci_index.py writes them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from promotions.formats.document import Binding, Context
from promotions.formats.reading import MISMATCH, DocumentRefused, maybe_name

_USUAL: Final = {("arm64", "v8"), ("arm", "v7"), ("amd64", "v1")}
"""Architectures with the variant that is meant where none is said."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Each is empty where it is not said."""

    os: str
    architecture: str
    variant: str

    @property
    def plain(self) -> "Platform":
        """Without the variant that is meant where none is said."""
        return replace(self, variant="") if (self.architecture, self.variant) in _USUAL else self

    def __str__(self) -> str:
        return "/".join((self.os or "unknown", self.architecture or "unknown", *filter(None, [self.variant])))


def platform(holder: dict[str, Any], place: str, *, variant: str = "variant") -> Platform:
    """As an image's configuration says it. ``variant``: the name of that member."""
    names = ("os", "architecture", variant)
    return Platform(*((maybe_name(holder, name, place) or "").lower() for name in names))


def narrowed(context: Context, bound: Binding, looked_at: Platform, place: str) -> Binding:
    """The part of that platform, where the report says its platform and names no part, and the parts are known.

    DocumentRefused (mismatch) where the index has no such part, and where it has several.
    """
    if bound.part or not context.parts or not (looked_at.os or looked_at.architecture):
        return bound
    found = _parts(context, looked_at)
    if len(found) == 1:
        return Binding(bound.by_digest, *found)
    what = "several manifests" if found else "no manifest"
    raise DocumentRefused(
        f"The scanner looked at {looked_at}, and the index of this image names {what} of that platform: scan each"
        " manifest by its own digest.",
        place,
        code=MISMATCH,
    )


def _parts(context: Context, looked_at: Platform) -> set[str]:
    """The manifests of exactly this platform; without one those that may be it, where a variant or the platform is
    unknown."""
    stated = {each: [_read(text) for text in context.platforms.get(each, ())] for each in context.parts}
    exact = {each for each, all_of in stated.items() if looked_at.plain in {other.plain for other in all_of}}
    near = {each for each, platforms in stated.items() if _may_be(looked_at, platforms)}
    return exact or near or {each for each, platforms in stated.items() if not platforms}


def _may_be(looked_at: Platform, stated: Iterable[Platform]) -> bool:
    return any(
        all(
            not said or not other or said == other
            for said, other in (
                (looked_at.os, each.os),
                (looked_at.architecture, each.architecture),
                (looked_at.variant, each.variant),
            )
        )
        for each in stated
    )


def _read(text: str) -> Platform:
    """`linux/arm64/v8`, and without the version of Windows behind it."""
    os, architecture, variant = [*text.lower().partition(" (")[0].split("/"), "", ""][:3]
    return platform({"os": os, "architecture": architecture, "variant": variant}, "")
