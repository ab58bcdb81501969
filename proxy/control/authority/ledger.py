"""Everything an authority must remember, in one SQLite file that several processes may use at once.

In: secrets, certificates, passes. Out: the same after a restart.
Never: a private key in the clear once a secret is given.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from proxy.control.authority.errors import LedgerUnusable
from proxy.control.authority.seal import SALT_BYTES, Seal, WrongSecret, is_sealed
from proxy.control.authority.terms import Terms

FILE = "authority.sqlite"
_DOMAIN, _TERMS, _SALT, _PROBE = "trust domain", "lifetimes", "salt", "probe"


class Ledger:
    """One connection; raises LedgerUnusable when the file is not one of ours, or the secret does not open it."""

    def __init__(
        self,
        folder: Path | None,
        domain: str | None,
        secret: bytes | None = None,
        *,
        make: bool = True,
        keys: bool = True,
    ) -> None:
        """Without a folder everything is gone with the process; without a domain there must be a ledger already.

        Without `keys` it opens though they are sealed by a secret that is not given; they stay out of reach.
        """
        self.where = "memory" if folder is None else str(folder / FILE)
        if folder is not None:
            if not make and not (folder / FILE).exists():
                raise LedgerUnusable(f"{self.where}: there is none; is this the --state of `whymesh control`?")
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self.where, os.O_CREAT, 0o600))
        self.sql = sqlite3.connect(":memory:" if folder is None else self.where, isolation_level=None, timeout=10)
        self.sql.row_factory = sqlite3.Row
        try:
            self._prepare(folder)
            self.domain = self._belongs_to(domain)
        except sqlite3.DatabaseError as error:
            self.close()
            raise LedgerUnusable(f"{self.where}: not a ledger of this version ({error})") from None
        except LedgerUnusable:
            self.close()
            raise
        try:
            self._seal = self._sealed_by(secret) if keys else None
        except LedgerUnusable:
            self.close()
            raise

    def close(self) -> None:
        self.sql.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """All of what happens inside, or nothing; one process at a time."""
        self.sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.sql.execute("ROLLBACK")
            raise
        self.sql.execute("COMMIT")

    def version(self) -> int:
        """Another number whenever another process has changed something."""
        (number,) = self.sql.execute("PRAGMA data_version").fetchone()
        return int(number)

    def keep_terms(self, terms: Terms) -> None:
        """The lifetimes that are configured, for processes that do not read the configuration."""
        seconds = [life.total_seconds() for life in (terms.leaf, terms.issuer, terms.root)]
        if json.dumps(seconds).encode() != self._meta(_TERMS):
            self._keep_meta(_TERMS, json.dumps(seconds).encode())

    def terms(self) -> Terms:
        """Those that were kept last."""
        kept = self._meta(_TERMS)
        return Terms(*(timedelta(seconds=life) for life in json.loads(kept))) if kept else Terms()

    def keep_key(self, plain: bytes) -> bytes:
        """A private key as it may be written."""
        return self._seal.close(plain) if self._seal else plain

    def read_key(self, kept: bytes) -> bytes:
        """A private key as it was before it was written."""
        return self._seal.open(kept) if self._seal and is_sealed(kept) else kept

    def _prepare(self, folder: Path | None) -> None:
        if folder is not None:
            self.sql.execute("PRAGMA journal_mode = WAL")
        self.sql.execute("PRAGMA synchronous = FULL")
        self.sql.execute("PRAGMA secure_delete = ON")  # a key that is sealed later leaves no trace of how it was before
        self._carry_over()
        self.sql.executescript(resources.files(__package__).joinpath("ledger.sql").read_text())

    def _carry_over(self) -> None:
        """What older versions did not note: who signed (nearly always the newest issuer of a root), whose a token is.

        Tokens that were used are good for nothing more.
        """
        if self.sql.execute("SELECT 1 FROM sqlite_schema WHERE name = 'uses'").fetchone():
            with self.change():
                spent = "kind = 'token' AND id IN (SELECT pass FROM uses)"
                self.sql.execute(f"UPDATE passes SET revoked = 1 WHERE {spent}")
                self.sql.execute("DROP TABLE uses")
        columns = {row["name"] for row in self.sql.execute("PRAGMA table_info(issued)")}
        if columns and "issuer" not in columns:
            with self.change():
                self.sql.execute("ALTER TABLE issued ADD COLUMN issuer INTEGER REFERENCES signers")
                newest = "SELECT max(id) FROM signers WHERE signers.root = issued.root"
                self.sql.execute(f"UPDATE issued SET issuer = ({newest})")

    def _belongs_to(self, domain: str | None) -> str:
        kept = self._meta(_DOMAIN)
        if kept is None:
            if domain is None:
                raise LedgerUnusable(f"{self.where}: no authority has begun here; `whymesh control` begins one")
            self._keep_meta(_DOMAIN, domain.encode())
            return domain
        if domain is not None and kept.decode() != domain:
            raise LedgerUnusable(
                f"{self.where}: belongs to the trust domain {kept.decode()}, but the mesh is {domain} "
                "(Mesh spec.trustDomain); name that one, or give the control plane another --state"
            )
        return kept.decode()

    def _sealed_by(self, secret: bytes | None) -> Seal | None:
        salt, probe = self._meta(_SALT), self._meta(_PROBE)
        if secret is None:
            if salt is not None:
                raise LedgerUnusable(
                    f"{self.where}: its keys are sealed; give the secret with --ca-secret FILE or WHYMESH_CA_SECRET"
                )
            return None
        if salt is not None and probe is not None:
            seal = Seal.of(secret, salt)
            try:
                seal.open(probe)
            except WrongSecret:
                raise LedgerUnusable(
                    f"{self.where}: is sealed by another secret than the one given; give that one with --ca-secret "
                    "FILE or WHYMESH_CA_SECRET. Where it is lost so is the authority: begin another in a new --state"
                ) from None
        else:
            seal = self._seal_all(secret)
        self.sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the log may have pages from before keys were sealed
        return seal

    def _seal_all(self, secret: bytes) -> Seal:
        """From now on; what was there is sealed with it."""
        salt = os.urandom(SALT_BYTES)
        seal = Seal.of(secret, salt)
        with self.change():
            self._keep_meta(_SALT, salt)
            self._keep_meta(_PROBE, seal.close(b""))
            for row in self.sql.execute("SELECT id, key FROM signers WHERE key IS NOT NULL").fetchall():
                self.sql.execute("UPDATE signers SET key = ? WHERE id = ?", (seal.close(row["key"]), row["id"]))
        return seal

    def _meta(self, name: str) -> bytes | None:
        row = self.sql.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return bytes(row["value"]) if row else None

    def _keep_meta(self, name: str, value: bytes) -> None:
        self.sql.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))


def moment(seconds: float) -> datetime:
    """A time as the ledger writes it."""
    return datetime.fromtimestamp(seconds, UTC)
