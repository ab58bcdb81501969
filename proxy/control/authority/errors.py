"""What the authority refuses.

AuthorityError
├── LedgerUnusable   the ledger cannot be opened: another domain's, sealed by another secret, not ours
├── NotPossible      an order that the state of the authority does not allow
└── Refused          somebody gets no certificate; `code` says why, one for each reason
"""

from __future__ import annotations

from typing import Literal

from proxy.control.errors import ControlError

Code = Literal[
    "request_malformed", "request_signature", "request_key", "request_name", "request_extension",
    "not_its_service", "nothing_shown",
    "token_malformed", "token_unknown", "token_expired", "token_used", "token_other_proxy", "token_revoked",
    "proof_malformed", "proof_foreign", "proof_expired", "proof_denied", "proof_other", "proof_signature",
    "account_unknown", "account_refused", "account_unbound", "account_other",
    "issuer_expired",
]  # fmt: skip


class AuthorityError(ControlError):
    """Anything the authority does not do."""


class LedgerUnusable(AuthorityError):
    """The ledger cannot be opened; the message says what to do."""


class NotPossible(AuthorityError):
    """An order that makes no sense now; the message says why."""


class Refused(AuthorityError):
    """No certificate for whoever asked; the message is for the operator."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Code = code
