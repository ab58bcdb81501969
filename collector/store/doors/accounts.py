"""Who may come in through a door, and what they may change there."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from collector.store.errors import AUTHENTICATION_FAILED, query_failed
from collector.store.rights import FINDINGS, READS, Rights


@dataclass(frozen=True)
class Account:
    """A name, how it is proved, and what it may change.

    Either its `password` proves it, or a certificate with one of its `identities` (patterns of SPIFFE ids); an account
    that has neither needs no proof.
    """

    name: str
    password: str = field(default="", repr=False)
    rights: Rights = READS
    identities: tuple[str, ...] = ()

    def shown_by(self, identities: Sequence[str]) -> bool:
        return any(fnmatchcase(identity, pattern) for identity in identities for pattern in self.identities)


# Without passwords, because the doors listen on loopback unless told otherwise.
NOBODY_NAMED: Final = "default"
DEFAULT_ACCOUNTS: Final = (
    Account(NOBODY_NAMED),
    Account("rootcause", rights=FINDINGS),
)


class Accounts:
    """The accounts of a door, by name."""

    def __init__(self, accounts: Iterable[Account] = DEFAULT_ACCOUNTS) -> None:
        self._accounts = {account.name: account for account in accounts}

    def enter(self, name: str, password: str, identities: Sequence[str] = ()) -> Account:
        """The account behind `name` and `password`, or behind the `identities` of a checked certificate.

        A client that names nobody (`default`, as all clients do then) is the account of its certificate. Raises
        AccessRefused (516), the same for every mistake.
        """
        if name == NOBODY_NAMED and (certified := self._certified(identities)) is not None:
            return certified
        account = self._accounts.get(name)
        if account is not None and account.shown_by(identities):
            return account
        # Compared also when there is no such account, so that the time taken does not tell.
        expected = account.password if account else password + "x"
        same = hmac.compare_digest(expected.encode(), password.encode())
        if account is None or not same or (account.identities and not account.password):
            raise query_failed(
                AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name. "
                "(AUTHENTICATION_FAILED)",
            )
        return account

    def _certified(self, identities: Sequence[str]) -> Account | None:
        return next((account for account in self._accounts.values() if account.shown_by(identities)), None)
