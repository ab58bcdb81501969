"""Reads a store's address, `clickhouse://[user[:password]@]host[:port][/database][?setting=value&...]`, into its parts.

Of the part behind `?`, `ca_certs`, `certfile` and `keyfile` are PEM files for TLS; all else are ClickHouse's settings.
"""

from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, unquote, urlsplit

DEFAULT_PORTS = {"clickhouse": 9000, "clickhouses": 9440}
_FILES = frozenset({"ca_certs", "certfile", "keyfile"})


@dataclass(frozen=True)
class StoreUrl:
    """Where a ClickHouse native port is and who we are there; `secure` asks for TLS."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str
    secure: bool
    settings: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

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
        behind = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(
            host=parts.hostname,
            port=port or DEFAULT_PORTS[parts.scheme],
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "otel",
            secure=parts.scheme == "clickhouses",
            settings={name: value for name, value in behind.items() if name not in _FILES},
            files={name: value for name, value in behind.items() if name in _FILES},
        )

    def with_password(self, password: str | None) -> "StoreUrl":
        """The same with another password; None leaves it."""
        return self if password is None else replace(self, password=password)

    def __str__(self) -> str:
        scheme = "clickhouses" if self.secure else "clickhouse"
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"
