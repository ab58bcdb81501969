"""What the log holds, and how it is written: requests as they came, and what was done with them.

In: records. Out: bytes, and back. A record is a kind, fixed fields (little-endian) and what varies in length.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, get_args

from collector.receive.request import Coding, Form, Request, Taken
from collector.receive.signals import Signal

_REQUEST, _INSERT, _SETTLED, _HEAD, _DECIDED = 1, 2, 3, 4, 5
_SIGNALS = tuple(Signal)
_CODINGS: tuple[Coding, ...] = get_args(Coding)
_NO_BATCH = bytes(16)

# number, signal, json, own, coding, received_ns, batch, blocks, rejected, length of message
_REQUEST_FIELDS = struct.Struct("<BQBBBBQ16sHQH")
# token, day, length of the table's name
_INSERT_FIELDS = struct.Struct("<B16sIB")
_SETTLED_FIELDS = struct.Struct("<B16sB")
_HEAD_FIELDS = struct.Struct("<BQ16sI")
_DECIDED_FIELDS = struct.Struct("<BQ")
_BATCH_FIELDS = struct.Struct("<16sQH")


class Damaged(Exception):
    """The bytes are no record of this version."""


class Partition(NamedTuple):
    """Rows of one table that lie on one day, since 1970; an insert goes to one of them, and is there whole or not."""

    table: str
    day: int


class Outcome(IntEnum):
    """What became of an insert."""

    STORED = 1
    DROPPED = 2
    """The store will never take it."""
    VOID = 3
    """Nothing of it was stored; its blocks go into other inserts."""


UNDECIDED = 0
"""As `blocks` of a request: which partitions it goes to is decided later."""


@dataclass(frozen=True)
class Logged:
    """A request that was taken: `number` rises by one, `blocks` is how many partitions it goes to."""

    number: int
    request: Request
    blocks: int
    taken: Taken


@dataclass(frozen=True)
class Insert:
    """Is about to be made: the blocks of these requests for one partition, under one deduplication token."""

    token: bytes
    partition: Partition
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Settled:
    """An insert that needs no more care."""

    token: bytes
    outcome: Outcome


@dataclass(frozen=True)
class Decided:
    """What becomes of each span of a request that waited for that (`collector/columnar/src/tail/verdict.rs`)."""

    number: int
    verdict: bytes


@dataclass(frozen=True)
class Head:
    """First in each segment: the next number, the start of the machine, and batches that were taken before."""

    next_number: int
    boot: bytes
    batches: tuple[tuple[bytes, Taken], ...]


Record = Logged | Insert | Settled | Head | Decided


def encode(record: Record) -> Sequence[bytes]:
    """The record as parts to be written one after the other; the body of a request is not copied."""
    match record:
        case Logged(number, request, blocks, taken):
            form, message = request.form, taken.message.encode()
            fixed = _REQUEST_FIELDS.pack(
                _REQUEST,
                number,
                _SIGNALS.index(request.signal),
                form.json,
                form.own,
                _CODINGS.index(form.coding),
                request.received_ns,
                form.batch or _NO_BATCH,
                blocks,
                taken.rejected,
                len(message),
            )
            return fixed + message, request.body
        case Insert(token, (table, day), numbers):
            name = table.encode()
            packed = struct.pack(f"<{len(numbers)}Q", *numbers)
            return (_INSERT_FIELDS.pack(_INSERT, token, day, len(name)) + name + packed,)
        case Settled(token, outcome):
            return (_SETTLED_FIELDS.pack(_SETTLED, token, outcome),)
        case Head(next_number, boot, batches):
            return _HEAD_FIELDS.pack(_HEAD, next_number, boot, len(batches)), *(_batch(*one) for one in batches)
        case Decided(number, verdict):
            return _DECIDED_FIELDS.pack(_DECIDED, number), verdict


def decode(data: bytes) -> Record:
    """Raises Damaged."""
    try:
        match data[0]:
            case 1:
                return _logged(data)
            case 2:
                return _insert(data)
            case 3:
                _, token, outcome = _SETTLED_FIELDS.unpack(data)
                return Settled(token, Outcome(outcome))
            case 4:
                return _head(data)
            case 5:
                _, number = _DECIDED_FIELDS.unpack_from(data)
                return Decided(number, data[_DECIDED_FIELDS.size :])
            case kind:
                raise Damaged(f"a record of kind {kind}")
    except (struct.error, ValueError, IndexError) as error:
        raise Damaged(f"a record that ends early: {error}") from None


def _logged(data: bytes) -> Logged:
    fields = _REQUEST_FIELDS.unpack_from(data)
    _, number, signal, json, own, coding, received_ns, batch, blocks, rejected, length = fields
    start = _REQUEST_FIELDS.size
    form = Form(bool(json), _CODINGS[coding], bool(own), b"" if batch == _NO_BATCH else batch)
    request = Request(_SIGNALS[signal], data[start + length :], form, received_ns)
    return Logged(number, request, blocks, Taken(rejected, data[start : start + length].decode()))


def _insert(data: bytes) -> Insert:
    _, token, day, length = _INSERT_FIELDS.unpack_from(data)
    start = _INSERT_FIELDS.size
    table, numbers = data[start : start + length].decode(), data[start + length :]
    return Insert(token, Partition(table, day), struct.unpack(f"<{len(numbers) // 8}Q", numbers))


def _head(data: bytes) -> Head:
    _, next_number, boot, count = _HEAD_FIELDS.unpack_from(data)
    batches, at = [], _HEAD_FIELDS.size
    for _ in range(count):
        batch, rejected, length = _BATCH_FIELDS.unpack_from(data, at)
        at += _BATCH_FIELDS.size + length
        batches.append((batch, Taken(rejected, data[at - length : at].decode())))
    return Head(next_number, boot, tuple(batches))


def _batch(batch: bytes, taken: Taken) -> bytes:
    message = taken.message.encode()
    return _BATCH_FIELDS.pack(batch, taken.rejected, len(message)) + message
