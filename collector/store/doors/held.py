"""What USE and SET changed for those who ask again: for a native connection, or for an HTTP session of that name."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from collector.store.errors import query_failed
from collector.store.statement import Kind, Statement

SETS_MOST: Final = 100
SESSIONS_MOST: Final = 1000
SESSION_SECONDS: Final = 60.0
SESSION_SECONDS_MOST: Final = 3600.0
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373


@dataclass
class Held:
    """A database and the SET statements so far, oldest first."""

    database: str = "otel"
    sets: tuple[str, ...] = ()

    def remember(self, statement: Statement) -> None:
        """Takes up what a statement that ran well has changed."""
        if statement.kind is Kind.USE:
            self.database = statement.database
        elif statement.kind is Kind.SET:
            self.sets = (*self.sets, statement.text)[-SETS_MOST:]


@dataclass
class _Session:
    held: Held
    ends: float
    busy: bool = False


class Sessions:
    """Of the HTTP door, by account and name; one that is not asked for in its time is forgotten.

    `clock` is in seconds. Source: ClickHouse, docs "Using ClickHouse sessions in the HTTP protocol".
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[tuple[str, str], _Session] = {}

    @contextmanager
    def enter(self, account: str, name: str, seconds: float, *, known: bool) -> Iterator[Held]:
        """The session, nobody else's meanwhile; a new one, unless it has to be `known`.

        Raises QueryFailed (372) when it is not there, (373) when a query runs in it.
        """
        self._forget()
        session = self._sessions.pop((account, name), None)
        if session is None:
            if known:
                raise query_failed(SESSION_NOT_FOUND, "Session not found. (SESSION_NOT_FOUND)")
            session = _Session(Held(), 0)
        self._sessions[account, name] = session  # the one asked for last is the last to go
        if session.busy:
            raise query_failed(
                SESSION_IS_LOCKED, "a query runs in this session; ask in another, or later. (SESSION_IS_LOCKED)"
            )
        session.busy = True
        try:
            yield session.held
        finally:
            session.busy = False
            session.ends = self._clock() + min(seconds, SESSION_SECONDS_MOST)

    def _forget(self) -> None:
        idle = [key for key, session in self._sessions.items() if not session.busy]
        over = len(self._sessions) - SESSIONS_MOST + 1
        for at, key in enumerate(idle):
            if at < over or self._sessions[key].ends <= self._clock():
                del self._sessions[key]
