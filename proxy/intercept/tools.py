"""Runs the programs that hold the kernel's rules. In: an interception, or none. Out: the rules in force."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Literal

from proxy.intercept import iptables, nftables
from proxy.intercept.interception import Interception

Tool = Literal["nftables", "iptables"]
TOOLS: dict[Tool, str] = {"nftables": "nft", "iptables": "iptables-restore"}
# Where they are installed, which is not on everybody's path.
SYSTEM = "/usr/sbin:/sbin"


class Refused(Exception):
    """A program is missing or the kernel did not take the rules; the text says which and what to do."""


def available() -> list[Tool]:
    """The tools of this machine, the preferred one first."""
    return [tool for tool, program in TOOLS.items() if _find(program)]


def preferred() -> Tool:
    """The one to use where nobody says which."""
    return (*available(), "nftables")[0]


def put(tool: Tool, wanted: Interception | None) -> None:
    """Leaves the wanted rules in force and none of ours from before. Raises `Refused`."""
    if tool == "nftables":
        _run("nft", "-f", "-", said=nftables.ruleset(wanted) if wanted else nftables.REMOVAL)
        return
    for family, restore in iptables.RESTORE.items():
        change = iptables.change(_run(iptables.SAVE[family]), family, wanted)
        if change:
            _run(restore, "--noflush", said=change)


def _find(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM}")


def _run(program: str, *arguments: str, said: str = "") -> str:
    path = _find(program)
    if path is None:
        raise Refused(f"{program} is not installed (Debian: apt-get install nftables, or iptables)")
    done = subprocess.run([path, *arguments], input=said, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        rights = "" if os.geteuid() == 0 else "; it takes the rights of root (CAP_NET_ADMIN)"
        raise Refused(f"{program}: {why[0]}{rights}")
    return done.stdout
