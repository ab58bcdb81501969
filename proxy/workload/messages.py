"""The messages of the X.509 part of the SPIFFE Workload API (SPIFFE Workload API, section 5), as protobuf.

In: plain values. Out: bytes. Two small messages with nothing but byte fields: they need no generated code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Svid:
    """One identity; `chain` and `bundle` are DER, one certificate after the other, `key` is PKCS#8."""

    spiffe_id: str
    chain: bytes
    key: bytes
    bundle: bytes

    def message(self) -> bytes:
        """`X509SVID`."""
        fields = (self.spiffe_id.encode(), self.chain, self.key, self.bundle)
        return b"".join(_field(number, value) for number, value in enumerate(fields, start=1))


def svids(them: Sequence[Svid], crls: Iterable[bytes]) -> bytes:
    """`X509SVIDResponse`; with revocation lists in DER."""
    return b"".join([*(_field(1, one.message()) for one in them), *(_field(2, crl) for crl in crls)])


def bundles(them: Mapping[str, bytes], crls: Iterable[bytes]) -> bytes:
    """`X509BundlesResponse`: by the SPIFFE id of the trust domain; with revocation lists in DER."""
    return b"".join(_field(1, crl) for crl in crls) + b"".join(
        _field(2, _field(1, name.encode()) + _field(2, roots)) for name, roots in them.items()
    )


def _field(number: int, value: bytes) -> bytes:
    """A length and so many bytes (Protocol Buffers, wire type 2)."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])
