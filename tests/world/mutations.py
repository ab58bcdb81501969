"""What becomes of sound messages on the way through hostile hands: the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence


def mutated(messages: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many messages, each changed in one to four places: bytes, bits, lengths, repetitions, ends of others."""
    chance = random.Random(seed)
    for _ in range(count):
        message = bytearray(chance.choice(messages))
        for _ in range(chance.randrange(1, 5)):
            _change(message, messages, chance)
        yield bytes(message)


def _change(message: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    place = chance.randrange(len(message) + 1)
    match chance.randrange(7):
        case 0 if place < len(message):
            message[place] = chance.randrange(256)
        case 1 if place < len(message):
            message[place] ^= 1 << chance.randrange(8)
        case 2:
            del message[place:]
        case 3:
            message += chance.randbytes(chance.randrange(1, 40))
        case 4:
            message[place:place] = message[place : place + chance.randrange(1, 20)]
        case 5:
            del message[place : place + chance.randrange(1, 5)]
        case _:
            message[place:] = chance.choice(others)[place:]
