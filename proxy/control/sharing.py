"""What proxies tell one of several control planes over one state, told to the others.

In: how far the proxies are that are connected here, traces to flush. Out: the same of the other control planes, less
than a second old. Never: a write while there is no other; or anything that has to outlive these processes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from proxy.control.publish import Publisher
from proxy.control.standings import Acknowledgement, Standing

log = logging.getLogger("whymesh.control")

FILE = "sharing.sqlite"
LOOK_S = 0.3
_LIVES_S = 3.0
"""So long after its last word a control plane counts as running."""
_KEPT = 20_000
_LAYOUT = """
CREATE TABLE IF NOT EXISTS planes (name TEXT PRIMARY KEY, at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS standings (
    plane TEXT NOT NULL, proxy TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (plane, proxy)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS flushes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, plane TEXT NOT NULL, traces TEXT NOT NULL
) STRICT;
"""


class Sharing:
    """One control plane's part in it, called `name`; raises sqlite3.Error where the file cannot be used."""

    def __init__(self, folder: Path, name: str, publisher: Publisher, clock: Callable[[], float] = time.time) -> None:
        self._name, self._publisher, self._clock = name, publisher, clock
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.touch(mode=0o600)
        self._sql = sqlite3.connect(path, isolation_level=None, timeout=2)
        self._sql.execute("PRAGMA journal_mode = WAL")
        self._sql.execute("PRAGMA synchronous = OFF")
        self._sql.executescript(_LAYOUT)
        self._sql.execute("DELETE FROM standings WHERE plane = ?", (name,))
        (self._last,) = self._sql.execute("SELECT coalesce(max(id), 0) FROM flushes").fetchone()
        self._told: dict[str, str] = {}
        self._breathed = 0.0
        self._breathe()
        publisher.share = self.flush

    async def run(self) -> None:
        """Until cancelled; a file that cannot be read or written for a while takes nothing away."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self.look()
            except sqlite3.Error as error:
                log.error("%s: %s", FILE, error)

    def look(self) -> None:
        """Tells the others what is new here, and takes in what they say."""
        others = self._others()
        if others:
            self._breathe()
            self._tell()
        self._publisher.elsewhere = self._heard(others)
        rows = self._sql.execute("SELECT id, traces FROM flushes WHERE id > ? AND plane != ?", (self._last, self._name))
        for number, traces in rows.fetchall():
            self._last = number
            self._publisher.flush(json.loads(traces), share=False)

    def flush(self, traces: list[str]) -> None:
        """Traces that the proxies of the others are to flush, too."""
        if not self._others():
            return
        try:
            made = self._sql.execute(
                "INSERT INTO flushes (plane, traces) VALUES (?, ?)", (self._name, json.dumps(traces))
            )
            self._sql.execute("DELETE FROM flushes WHERE id <= ?", ((made.lastrowid or 0) - _KEPT,))
        except sqlite3.Error as error:
            log.error("%s: %d traces are not flushed elsewhere: %s", FILE, len(traces), error)

    def close(self) -> None:
        """Is heard of no more."""
        self._sql.execute("DELETE FROM planes WHERE name = ?", (self._name,))
        self._sql.close()

    def _others(self) -> list[str]:
        rows = self._sql.execute(
            "SELECT name FROM planes WHERE name != ? AND at > ?", (self._name, self._clock() - _LIVES_S)
        )
        return [name for (name,) in rows]

    def _breathe(self) -> None:
        if self._clock() - self._breathed > _LIVES_S / 3:
            self._breathed = self._clock()
            self._sql.execute("INSERT OR REPLACE INTO planes VALUES (?, ?)", (self._name, self._breathed))

    def _tell(self) -> None:
        now = {proxy: _written(one) for proxy, one in self._publisher.standings.items()}
        new = [(self._name, proxy, body) for proxy, body in now.items() if self._told.get(proxy) != body]
        gone = [(self._name, proxy) for proxy in self._told if proxy not in now]
        if new or gone:
            self._sql.execute("BEGIN IMMEDIATE")
            self._sql.executemany("INSERT OR REPLACE INTO standings VALUES (?, ?, ?)", new)
            self._sql.executemany("DELETE FROM standings WHERE plane = ? AND proxy = ?", gone)
            self._sql.execute("COMMIT")
        self._told = now

    def _heard(self, others: list[str]) -> dict[str, Standing]:
        found: dict[str, Standing] = {}
        for plane in others:
            for proxy, body in self._sql.execute("SELECT proxy, body FROM standings WHERE plane = ?", (plane,)):
                found[proxy] = read(body).or_rather(found.get(proxy))
        return found


def _written(one: Standing) -> str:
    """Without the moment while it is connected: that is now."""
    said = one.said and [one.said.epoch, one.said.accepted, one.said.reason, one.said.problems]
    seen = one.seen and one.seen.replace(microsecond=0, second=0 if one.connections else one.seen.second).isoformat()
    return json.dumps([one.connections, seen, one.served, said])


def read(body: str) -> Standing:
    """What another control plane wrote of one proxy."""
    said: list[Any] = json.loads(body)
    seen = datetime.fromisoformat(said[1]) if said[1] else None
    return Standing(said[0], seen, said[2], _acknowledged(*said[3]) if said[3] else None)


def _acknowledged(epoch: int, accepted: bool, reason: str, problems: list[str]) -> Acknowledgement:
    return Acknowledgement(epoch, accepted, reason, tuple(problems))
