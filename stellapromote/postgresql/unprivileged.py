"""The account of the server where root starts it, since PostgreSQL refuses root, and the paths that it can reach."""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The account of the server reads its files and stops it, and so can become its superuser.
ACCOUNT = "stellapromote"
# Accounts that other programs of a machine use: versions before 0.3 ran as one of them.
SHARED_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The operating system account of the server process. `switch` is False where we already are that account."""

    uid: int
    gid: int
    name: str
    switch: bool

    def process_options(self) -> dict[str, Any]:
        """Keyword arguments of subprocess.Popen that run the child as this user, without other groups."""
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
    """The account to run the server of `cluster` as: ourselves; as root the owner of its files, or an account of its
    own.

    Raises LookupError where root finds no such account and cannot make one.
    """
    if os.geteuid() != 0:
        account = pwd.getpwuid(os.geteuid())
        return ServerUser(account.pw_uid, account.pw_gid, account.pw_name, switch=False)
    account = account_of_its_own() if _is_new(cluster) else pwd.getpwuid(cluster.stat().st_uid)
    return ServerUser(account.pw_uid, account.pw_gid, account.pw_name, switch=True)


def hand_over(cluster: Path) -> bool:
    """Gives data of an account that other programs use to an account of its own. False: it was none, or has a server.

    Raises LookupError, as `server_user` does.
    """
    if os.geteuid() != 0 or not _is_shared(cluster) or _has_server(cluster):
        return False
    account = account_of_its_own()
    for path in (cluster, *cluster.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    return True


def account_of_its_own() -> pwd.struct_passwd:
    """The account that nothing but the server uses, made by `useradd` where it is missing. LookupError."""
    for attempt in (_make_account, None):
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            if attempt is not None:
                attempt()
    raise LookupError(
        "PostgreSQL does not run as root, and an account that other programs use would let them into the data. "
        f"Make one of its own with `useradd --system --shell /usr/sbin/nologin {ACCOUNT}`, or run as a user who is not "
        "root, or set DATABASE_URL."
    )


def _make_account() -> None:
    program = shutil.which("useradd")
    if program is not None:
        # Another process may be first: then it fails, and the account is there.
        options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
        subprocess.run([program, *options, "--shell", "/usr/sbin/nologin", ACCOUNT], capture_output=True, check=False)


def _is_new(cluster: Path) -> bool:
    """Whether no account has the files yet."""
    return not cluster.exists() or cluster.stat().st_uid == 0


def _is_shared(cluster: Path) -> bool:
    try:
        return cluster.exists() and pwd.getpwuid(cluster.stat().st_uid).pw_name in SHARED_ACCOUNTS
    except KeyError:
        return False


def _has_server(cluster: Path) -> bool:
    """Whether the process that the lock file names is there; a process of another account counts, to be safe."""
    try:
        process_id = int((cluster / "postmaster.pid").read_text().split()[0])
        os.kill(process_id, 0)
    except (FileNotFoundError, ProcessLookupError, ValueError, IndexError):
        return False
    return True
