"""A machine of one's own: network namespaces of the kernel, which hold addresses, links and rules of redirection.

What a thread opens while it is in a namespace belongs to it, and so do the threads it starts: tests enter one with
everything they start and leave nothing behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.world.processes import until

CLONE_NEWNET = 0x4000_0000
_TRIAL = """
ip link add trial0 type veth peer name trial1
nft 'add table inet trial; add chain inet trial out { type nat hook output priority -100; }'
nft 'add rule inet trial out meta skuid 0 meta l4proto tcp redirect to :1'
for tool in iptables ip6tables; do
    $tool -t nat -A OUTPUT -p tcp -m owner --uid-owner 0 -j REDIRECT --to-ports 1
done
"""
_libc = ctypes.CDLL(None, use_errno=True)


def lacking() -> str | None:
    """Why this machine cannot have them; `None` where it can."""
    if os.geteuid() != 0:
        return "network namespaces take the rights of root"
    missing = [name for name in ("ip", "unshare", "nsenter", "nft", "iptables", "ip6tables") if not shutil.which(name)]
    if missing:
        return f"not installed: {', '.join(missing)} (deploy/prepare.sh installs them for `make test`)"
    tried = subprocess.run(["unshare", "--net", "sh", "-ec", _TRIAL], capture_output=True, text=True, check=False)
    return f"this kernel refuses: {tried.stderr.strip()}" if tried.returncode else None


@contextlib.contextmanager
def own_network() -> Iterator[None]:
    """Puts this thread, and what it starts, into a network where there is only loopback."""
    with Path("/proc/thread-self/ns/net").open() as before:
        _check(_libc.unshare(CLONE_NEWNET))
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            _check(_libc.setns(before.fileno(), CLONE_NEWNET))


@contextlib.contextmanager
def neighbour(here: tuple[str, ...], there: tuple[str, ...]) -> Iterator[list[str]]:
    """Another machine on a link to this network; yields what to put before a command that runs there."""
    with subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE) as machine:
        inside = ["nsenter", "--net", "--target", str(machine.pid)]
        own = Path("/proc/self/ns/net").stat().st_ino
        while Path(f"/proc/{machine.pid}/ns/net").stat().st_ino == own:
            os.sched_yield()
        ip("link", "add", "whymesh0", "type", "veth", "peer", "name", "whymesh1", "netns", str(machine.pid))
        for addresses, device, before in ((here, "whymesh0", []), (there, "whymesh1", inside)):
            for address in addresses:
                assign(address, device, before)
            ip("link", "set", device, "up", before=before)
        try:
            yield inside
        finally:
            assert machine.stdin
            machine.stdin.close()


@contextlib.contextmanager
def as_user(number: int) -> Iterator[None]:
    """What this thread opens meanwhile belongs to another user."""
    _libc.setfsuid(number)
    try:
        yield
    finally:
        _libc.setfsuid(0)


def connection(address: tuple[str, int], user: int) -> socket.socket:
    """A connection that a user of the machine makes."""
    with as_user(user):
        made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    made.settimeout(10)
    made.connect(address)
    made.setblocking(False)
    return made


def ip(*arguments: str, before: list[str] | None = None) -> None:
    """`ip`, here or in a neighbour."""
    subprocess.run([*(before or ()), "ip", *arguments], check=True, capture_output=True)


def assign(address: str, device: str, before: list[str] | None = None) -> None:
    """Gives a device an address (`10.0.0.1/24`) that can be used at once, without asking whether others have it."""
    ip("address", "add", address, "dev", device, *["nodad"] * (":" in address), before=before)
    if ":" in address and not before:
        # The kernel makes it usable in the background, on a busy machine a moment later.
        until(lambda: _usable(address.partition("/")[0]), f"{address} to be usable")


def _usable(address: str) -> bool:
    with socket.socket(socket.AF_INET6) as tried:
        try:
            tried.bind((address, 0))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            return False
        return True


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
