"""Numbers and strings as the Native format and the native protocol write them."""


def varint(value: int) -> bytes:
    """An unsigned LEB128 number."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: str) -> bytes:
    """A string behind its length."""
    data = text.encode()
    return varint(len(data)) + data
