"""PostgreSQL refuses to run as root: who it runs as instead, and what that user can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A dedicated account where the distribution made one, else the account that owns nothing.
PREFERRED_USERS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The operating system account of the server process. `switch` is False where we already are that account."""

    uid: int
    gid: int
    name: str
    switch: bool

    def process_options(self) -> dict[str, Any]:
        """Keyword arguments of subprocess.Popen that make the child this user and nobody else."""
        if not self.switch:
            return {"umask": 0o077}
        return {"user": self.uid, "group": self.gid, "extra_groups": [], "umask": 0o077}

    def take(self, path: Path) -> None:
        """Give one file or directory to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def can_reach(self, directory: Path) -> bool:
        """Whether every directory above and at `directory` lets this user through (mode bits; ACLs do not count)."""
        if not self.switch:
            return True
        return all(self._may_enter(place) for place in [directory, *directory.parents] if place.exists())

    def _may_enter(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def make_state_directory(state: Path) -> None:
    """Make STELLAPROMOTE_DATA where it is missing. Every secret inside is a file of mode 0600."""
    if not state.exists():
        # Root's server runs as another account, which has to pass through.
        state.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def server_user(cluster: Path) -> ServerUser:
    """Whom to run the server of `cluster` as: ourselves; as root the owner of its files, or an unprivileged account.

    Raises LookupError where root finds no such account.
    """
    if os.geteuid() != 0:
        account = pwd.getpwuid(os.geteuid())
        return ServerUser(account.pw_uid, account.pw_gid, account.pw_name, switch=False)
    if cluster.exists() and cluster.stat().st_uid != 0:
        account = pwd.getpwuid(cluster.stat().st_uid)
        return ServerUser(account.pw_uid, account.pw_gid, account.pw_name, switch=True)
    for name in PREFERRED_USERS:
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(account.pw_uid, account.pw_gid, account.pw_name, switch=True)
    raise LookupError(f"none of the accounts {', '.join(PREFERRED_USERS)} exists on this machine")
