"""Reads a store's address, `clickhouse://[user[:password]@]host[:port][/database]`, into its parts."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORTS = {"clickhouse": 9000, "clickhouses": 9440}


@dataclass(frozen=True)
class StoreUrl:
    """Where a ClickHouse native port is and who we are there; `secure` asks for TLS."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    secure: bool

    @classmethod
    def parse(cls, text: str) -> "StoreUrl":
        """Raises ValueError, naming what is wrong, without repeating a password."""
        parts = urlsplit(text)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(
                f"a store address starts with clickhouse:// (or clickhouses:// for TLS), not {parts.scheme!r}"
            )
        if not parts.hostname:
            raise ValueError("a store address names a host: clickhouse://127.0.0.1:9000/otel")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port of a store address is a number from 0 to 65535") from None
        return cls(
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "otel",
            secure=parts.scheme == "clickhouses",
        )

    def __str__(self) -> str:
        scheme = "clickhouses" if self.secure else "clickhouse"
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"
