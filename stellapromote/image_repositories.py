"""The names of image repositories: one spelling for each, and the patterns that cover it (domain.md §1b)."""

from typing import Final

_HUB: Final = "docker.io"
_NAMES_OF_HUB: Final = frozenset({_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"})
_DEFAULT_PORTS: Final = (":443", ":80")

LONGEST: Final = 300
MOST_OF_A_PRODUCT: Final = 1000
PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]*(/[A-Za-z0-9._:-]+)*(/\*)?$"
"""A repository, or the beginning of several with `/*` behind it. Both Python and JSON Schema read it alike."""

WRITTEN: Final = r"^(?!.*(?:/\.\.(?:/|$)|:(?![1-9][0-9]{0,4}/)[^/]*/))[A-Za-z0-9][A-Za-z0-9._:/-]*$"
"""A repository as a release names it. Not with a second spelling that ``canonical`` leaves as it is and a program may
follow: a scheme, a step up in its path, or a port with a leading zero."""


def canonical(name: str) -> str:
    """The one spelling of a repository: in lower case, with its registry, and without a default port or a tag.

    A name without a registry is of Docker Hub, as container engines read it: `nginx` is `docker.io/library/nginx`.
    """
    host, slash, path = name.lower().partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = _HUB, name.lower()
    for port in _DEFAULT_PORTS:
        host = host.removesuffix(port)
    host = host.rstrip(".")
    if host in _NAMES_OF_HUB:
        host = _HUB
    parts = [part for part in (each.partition(":")[0] for each in path.split("/")) if part not in ("", ".")]
    if host == _HUB and len(parts) == 1:
        parts = ["library", *parts]
    return "/".join([host, *parts])


def canonical_pattern(pattern: str) -> str:
    """The one spelling of a repository, or of a pattern that ends in `/*`."""
    begin = pattern.removesuffix("/*")
    if begin == pattern:
        return canonical(pattern)
    return canonical(f"{begin}/x/y").removesuffix("/x/y") + "/*"


def patterns_over(name: str) -> list[str]:
    """What may name this repository, or this pattern: itself, and every wider pattern. All in one spelling."""
    parts = name.removesuffix("/*").split("/")
    return [name, *("/".join(parts[:length]) + "/*" for length in range(len(parts) - 1, 0, -1))]
