"""Real artifacts for demo releases: this project's own pinned dependencies with their true sha256."""

import re
from dataclasses import dataclass
from pathlib import Path

from promotions.actions.releases import ComponentSpec

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s\\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One pinned package; ``digests`` are those of its files, each a true artifact of this version."""

    name: str
    version: str
    digests: tuple[str, ...]

    def component(self, build: int, *, role: str = "primary") -> ComponentSpec:
        """The component that release number ``build`` ships: another file of the same version for another build."""
        return ComponentSpec(
            name=self.name,
            image_repository=f"pypi/{self.name}",
            digest=f"sha256:{self.digests[build % len(self.digests)]}",
            tag=self.version,
            semver=self.version,
            role=role,
        )


def pinned(requirements: Path) -> dict[str, Artifact]:
    """Every pin of a requirements file with hashes, by package name."""
    found: dict[str, Artifact] = {}
    name = version = ""
    digests: list[str] = []
    for line in [*requirements.read_text().splitlines(), "end==0"]:
        pin = _PIN.match(line)
        if pin is not None:
            if name and digests:
                found[name] = Artifact(name, version, tuple(digests))
            name, version, digests = pin["name"].lower(), pin["version"], []
        digests += _HASH.findall(line)
    return found
