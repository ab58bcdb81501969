"""Addresses as people write them, and what they are told when one cannot be had."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from collector.errors import CannotListen


@contextlib.contextmanager
def listening(flag: str, address: str) -> Iterator[None]:
    """Around the opening of the door that `flag` names. Raises CannotListen."""
    try:
        yield
    except (OSError, OverflowError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        flag = flag.replace("_", "-")
        raise CannotListen(
            f"--{flag} {address}: {reason}; is another collector running? give this one another port"
        ) from None


def host_port(address: str) -> tuple[str, int]:
    """`host:port`, with or without the brackets of IPv6."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
