"""Replaces roots and issuers before they end, so that at every moment everybody trusts what anybody shows.

A new root is first only trusted. When every proxy serves a snapshot that has it, it signs; when every proxy holds a
certificate from it, the old one is forgotten. An issuer is replaced at once: its certificate goes with what it signs.
Pure: the time and what the proxies said are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from proxy.control.authority.certificates import Signer, make_issuer, make_root
from proxy.control.authority.errors import NotPossible
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.signers import Kept, Signers
from proxy.control.authority.terms import SKEW, Terms, due

_SETTLES = timedelta(seconds=15)
"""How long a certificate that was issued may be on its way: an answer that is lost is asked for again by then."""


@dataclass(frozen=True)
class Standing:
    """The proxies of the mesh with the identities each needs, and those that serve the roots now in force."""

    members: frozenset[tuple[str, str]] = frozenset()
    acknowledged: frozenset[str] = frozenset()
    applications: frozenset[tuple[str, str]] = frozenset()
    """Those beside the proxies, which may have certificates of their own."""

    @property
    def holders(self) -> frozenset[tuple[str, str]]:
        """All who may show a certificate."""
        return self.members | self.applications


class Rotation:
    """Moves one authority's roots and issuers on; every step is one change of the ledger."""

    def __init__(self, ledger: Ledger, signers: Signers, domain: str, terms: Terms) -> None:
        self._ledger, self._signers = ledger, signers
        self._domain, self.terms = domain, terms

    def begin(self, now: datetime, root: Signer | x509.Certificate | None = None, issuer: Signer | None = None) -> str:
        """A new root is to be trusted, made here or brought along; raises NotPossible while another rotation goes on.

        A root that comes as a certificate only needs the issuer that it has signed.
        """
        self._must_be_free()
        with self._ledger.change():
            number = self._signers.add(root or make_root(self._domain, now, self.terms.root), "next", now)
            if issuer is not None:
                self._signers.add(issuer, "next", now, number)
        self._signers.reload()
        return "a new root is spread to every proxy; it signs when all of them have it"

    def replace_issuer(self, now: datetime) -> str:
        """A new issuer below the same root; raises NotPossible where the root's key is kept elsewhere."""
        root = self._signers.active
        if root.signer is None:
            raise NotPossible(
                "the key of the root is not kept here, so it signs no new issuer: "
                "bring one along with `whymesh ca import`"
            )
        if root.ends <= now:
            raise NotPossible(f"the root ended at {root.ends:%F %T} UTC; replace that one")
        with self._ledger.change():
            self._new_issuer(root, root.signer, now)
        self._signers.reload()
        return "a new issuer signs from now on"

    def tend(self, now: datetime, standing: Standing) -> list[str]:
        """Does whatever is due and says what was done."""
        done = []
        self._let_go(now)
        if self._issuer_is_due(now):
            done.append(self.replace_issuer(now))
        if self._root_is_due(now):
            done.append(self.begin(now))
        elif "next" in self._signers.roots and (now >= self._signers.active.ends or not self.waiting(standing, now)):
            done.append(self._promote(now))
        elif "old" in self._signers.roots and not self.waiting(standing, now):
            done.append(self._forget(now))
        return done

    def waiting(self, standing: Standing, now: datetime) -> list[str]:
        """Proxies for which the next step of a root's rotation waits, in order of name."""
        old = self._signers.roots.get("old")
        if "next" in self._signers.roots:
            late = {proxy for proxy, _ in standing.members} - standing.acknowledged
        elif old is not None and now < old.ends:
            late = {proxy for proxy, _ in standing.members} - standing.acknowledged
            late |= {proxy for proxy, uri in standing.holders if self._shows(proxy, uri, old.id, now)}
        else:
            late = set()
        return sorted(late)

    def _must_be_free(self) -> None:
        for state in ("next", "old"):
            if root := self._signers.roots.get(state):
                raise NotPossible(
                    f"a rotation goes on since {root.since:%Y-%m-%d %H:%M:%S} UTC; "
                    "`whymesh ca status` shows what it waits for"
                )

    def _issuer_is_due(self, now: datetime) -> bool:
        """One that lives as long as its root is replaced with the root."""
        issuer, root = self._signers.issuer, self._signers.active
        alive = root.signer is not None and now < root.ends
        return alive and issuer.ends < root.ends and now >= due(issuer.starts, issuer.ends)

    def _root_is_due(self, now: datetime) -> bool:
        """A root whose key is kept elsewhere is replaced by whoever brought it."""
        root = self._signers.active
        alone = not {"next", "old"} & self._signers.roots.keys()
        return alone and root.signer is not None and now >= due(root.starts, root.ends)

    def _promote(self, now: datetime) -> str:
        new, before = self._signers.roots["next"], self._signers.active
        with self._ledger.change():
            self._signers.retire(before, now)
            for issuer in self._signers.issuers:
                if issuer.root == new.id:
                    self._signers.turn(issuer, "active", now)
            self._signers.turn(before, "old", now)
            self._signers.turn(new, "active", now)
            if new.signer is not None:
                self._signers.add(make_issuer(self._domain, new.signer, now, self.terms.issuer), "active", now, new.id)
        self._signers.reload()
        return "the new root signs; every proxy renews its certificate"

    def _forget(self, now: datetime) -> str:
        with self._ledger.change():
            self._signers.turn(self._signers.roots["old"], "gone", now)
        self._signers.reload()
        return "the old root is trusted no more"

    def _let_go(self, now: datetime) -> None:
        """Of the keys of issuers that signed nothing which is still believed."""
        roots = {root.id for root in self._signers.roots.values()}
        retired = [one for one in self._signers.issuers if one.state == "retired"]
        over = [one for one in retired if one.root not in roots or not self._is_shown(one, now)]
        if over:
            with self._ledger.change():
                for issuer in over:
                    self._signers.turn(issuer, "gone", now)
            self._signers.reload()

    def _is_shown(self, issuer: Kept, now: datetime) -> bool:
        """Whether anything it signed holds, by clocks that are behind, too."""
        rows = self._ledger.sql.execute(
            "SELECT 1 FROM issued WHERE issuer = ? AND ends > ? LIMIT 1", (issuer.id, (now - SKEW).timestamp())
        )
        return rows.fetchone() is not None

    def _new_issuer(self, root: Kept, signer: Signer, now: datetime) -> None:
        self._signers.retire(root, now)
        self._signers.add(make_issuer(self._domain, signer, now, self.terms.issuer), "active", now, root.id)

    def _shows(self, proxy: str, uri: str, root: int, now: datetime) -> bool:
        """Whether a proxy may still show a certificate from a root: it has no other one, or not for long enough."""
        rows = self._ledger.sql.execute(
            "SELECT root, issued FROM issued WHERE proxy = ? AND uri = ? AND ends > ? ORDER BY issued DESC, rowid DESC",
            (proxy, uri, now.timestamp()),
        ).fetchall()
        if all(row["root"] != root for row in rows):
            return False
        newest = rows[0]
        return bool(newest["root"] == root or now.timestamp() < newest["issued"] + _SETTLES.total_seconds())
