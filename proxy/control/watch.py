"""Notices that the configuration on disk was edited.

In: a path. Out: a mark that differs when any file under it does. Looks by name, size and time several times a second:
that works for editors that replace the file, for mounted ConfigMaps and for network disks, where events do not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from proxy.control.reading.read import files_of

Mark = tuple[tuple[str, int, int, int], ...]


def mark_of(path: Path) -> Mark:
    """Name, inode, size and modification time of each file; files that vanish meanwhile are left out."""
    found = []
    try:
        files = files_of(path)
    except OSError:
        return ()
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            continue
        found.append((str(file), stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


async def edits(path: Path, since: Mark, every_s: float = 0.2) -> AsyncIterator[None]:
    """Yields once for each edit, after it has been still for one interval (a writer may need several writes)."""
    seen = since
    while True:
        await asyncio.sleep(every_s)
        now = mark_of(path)
        if now == seen:
            continue
        while True:
            await asyncio.sleep(every_s / 4)
            settled = mark_of(path)
            if settled == now:
                break
            now = settled
        seen = now
        yield
