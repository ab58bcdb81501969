"""Who may come in through a door, and what they may change there."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from collector.store.errors import AUTHENTICATION_FAILED, query_failed
from collector.store.rights import FINDINGS, READS, Rights


@dataclass(frozen=True)
class Account:
    """A name, its password ("" = none needed) and what it may change."""

    name: str
    password: str = field(default="", repr=False)
    rights: Rights = READS


# Without passwords, because the doors listen on loopback unless told otherwise.
DEFAULT_ACCOUNTS: Final = (
    Account("default"),
    Account("rootcause", rights=FINDINGS),
)


class Accounts:
    """The accounts of a door, by name."""

    def __init__(self, accounts: Iterable[Account] = DEFAULT_ACCOUNTS) -> None:
        self._accounts = {account.name: account for account in accounts}

    def enter(self, name: str, password: str) -> Account:
        """The account behind `name` and `password`. Raises AccessRefused (516), the same for either mistake."""
        account = self._accounts.get(name)
        # Compared also when there is no such account, so that the time taken does not tell.
        expected = account.password if account else password + "x"
        same = hmac.compare_digest(expected.encode(), password.encode())
        if account is None or not same:
            raise query_failed(
                AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name. "
                "(AUTHENTICATION_FAILED)",
            )
        return account
