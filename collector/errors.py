"""What can go wrong on a request's way to the store, told apart by what the sender should do about it.

CollectorError
├── Refused            the same request will never be taken
│   ├── Malformed      the bytes are not the OTLP message they were said to be
│   ├── TooLarge       over the limit, before or after decompression
│   ├── TooSlow        its body was not there in time
│   ├── Unsupported    a content type or coding that this door does not take
│   └── Unauthenticated  the sender is none of the tenants
├── Retryable          the same request may be taken later; `retry_after_s` says when to try
│   ├── Overloaded     more requests are under way than we hold
│   ├── OverQuota      its tenant sends more than it may
│   ├── LogFull        the store is behind by as much as the disk may hold
│   └── LogUnwritable  the disk does not take it
├── LogOfOtherVersion  the log is of another version of the collector, and is left as it is
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


class TooSlow(Refused):
    """The message names the limit."""

    cause = "too_slow"


class Unsupported(Refused):
    """The message says what to send."""

    cause = "unsupported"


class Unauthenticated(Refused):
    """The message says what to send."""

    cause = "unauthenticated"


class Retryable(CollectorError):
    """Send it again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(Retryable):
    """Taking it would pass a bound on memory."""

    cause = "overloaded"


class OverQuota(Retryable):
    """The message names the tenant and its rate."""

    cause = "over_quota"


class LogFull(Retryable):
    """The message names the limit."""

    cause = "log_full"


class LogUnwritable(Retryable):
    """The message says what the disk said."""

    cause = "log_unwritable"


class LogOfOtherVersion(CollectorError):
    """The message says how its rows get into the store."""


class ConfigRefused(CollectorError):
    """One line a mistake, each with its path."""

    cause = "config"


class CannotListen(CollectorError):
    """Names the flag, the address and the cause."""

    cause = "listen"
