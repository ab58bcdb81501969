"""What can go wrong on a request's way to the store, told apart by what the sender should do about it.

CollectorError
├── Refused            the same request will never be taken
│   ├── Malformed      the bytes are not the OTLP message they were said to be
│   ├── TooLarge       over the limit, before or after decompression
│   └── Unstorable     the store understood the batch and will never take it
├── Retryable          the same request may be taken later; `retry_after_s` says when to try
│   ├── Overloaded     more is waiting than we hold
│   └── StoreAway      the store did not take it in time
├── ConfigRefused      the configuration file or a flag is wrong
└── CannotListen       an address cannot be had
"""


class CollectorError(Exception):
    """Anything that keeps spans from the store; `cause` is the label it is counted under."""

    cause = "error"


class Refused(CollectorError):
    """Do not send it again."""


class Malformed(Refused):
    """The message says what was expected at which byte."""

    cause = "malformed"


class TooLarge(Refused):
    """The message names the limit."""

    cause = "too_large"


class Unstorable(Refused):
    """The message is the store's own."""

    cause = "unstorable"


class Retryable(CollectorError):
    """Send it again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Retryable):
    """Taking it would pass a bound on memory."""

    cause = "overloaded"


class StoreAway(Retryable):
    """Nothing is stored, or it is not known to be."""

    cause = "store_away"


class ConfigRefused(CollectorError):
    """One line a mistake, each with its path."""

    cause = "config"


class CannotListen(CollectorError):
    """Names the flag, the address and the cause."""

    cause = "listen"
