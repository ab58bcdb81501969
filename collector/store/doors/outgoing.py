"""Writes the server's side of the native protocol to a socket, no faster than the client reads."""

import asyncio
from typing import Final

from collector.store.doors import protocol as p
from collector.store.doors.compress import LZ4, compressed

SEND_SECONDS: Final = 60


class Outgoing:
    """Packets of one answer; blocks are frames of a `method` when the client asked to `squeeze` them."""

    def __init__(self, writer: asyncio.StreamWriter, revision: int, *, squeeze: bool, method: int = LZ4) -> None:
        self._writer = writer
        self.revision = revision
        self.squeeze = squeeze
        self._method = method

    async def send(self, data: bytes) -> None:
        """A whole packet, or a part of one."""
        await send(self._writer, data)

    async def block(self, native: bytes) -> None:
        """One Native block as a Data packet."""
        await self.send(p.data_head(self.revision))
        block = p.block_info(self.revision) + native
        if not self.squeeze:
            await self.send(block)
            return
        for frame in compressed(block, self._method):
            await self.send(frame)


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Raises TimeoutError when the client takes nothing for a minute."""
    writer.write(data)
    await asyncio.wait_for(writer.drain(), SEND_SECONDS)
