"""The parts of the collector's configuration that are about the store and its doors."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from collector.part import Part
from collector.store.bounds import Bounds
from collector.store.indexes import Indexes
from collector.store.layout import Layout
from collector.store.url import StoreUrl

_DEFAULT = Bounds()


class StorePart(Part):
    """Where rows are kept: in this process, or in a ClickHouse server or cluster."""

    url: str | None = Field(
        default=None, repr=False, description="clickhouse://user:password@host:9000/otel; embedded when not set."
    )
    password_file: Path | None = Field(default=None, description="Holds the password, instead of the address.")
    create_tables: bool = Field(default=True, description="Bring the tables up to date at the start.")
    cluster: str = Field(default="", description="Name of the cluster on which the tables are made (ON CLUSTER).")
    replicated: bool = Field(default=False, description="Replicated engines, with the macros {shard} and {replica}.")
    sharded: bool = Field(default=False, description="Distributed tables over a local one on each node.")

    indexes: Indexes | None = Field(
        default=None, description="Of spans and logs: bloom or text; unset leaves them as they are."
    )

    @field_validator("url")
    @classmethod
    def _can_be_read(cls, url: str | None) -> str | None:
        if url is not None and StoreUrl.parse(url).database != "otel":
            raise ValueError("the tables are in the database otel: end the address with /otel")
        return url

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sharded and not self.cluster:
            raise ValueError("sharded tables need the name of a cluster")
        if self.url is None and (self.cluster or self.replicated):
            raise ValueError("cluster and replicated are for a server: give its url")
        return self

    def address(self) -> StoreUrl | None:
        """None for the embedded store. Raises OSError when the password cannot be read."""
        if self.url is None:
            return None
        password = self.password_file.read_text().strip() if self.password_file else None
        return StoreUrl.parse(self.url).with_password(password)

    def layout(self) -> Layout:
        return Layout(self.cluster, self.replicated, self.sharded, self.indexes)


class AccountPart(Part):
    """Who may ask the embedded store through its doors, and change what."""

    name: str = Field(min_length=1, description="As clients give it.")
    password_file: Path | None = Field(default=None, description="Holds the password; none is asked for when not set.")
    role: Literal["reader", "writer", "owner"] = Field(
        default="reader", description="A writer inserts into any table, an owner also makes and drops tables."
    )
    tables: tuple[str, ...] = Field(default=(), description="Tables that a reader may insert into.")
    identities: tuple[str, ...] = Field(
        default=(),
        description="SPIFFE ids of certificates that prove it, instead of a password; * is anything.",
    )


class LimitsPart(Part):
    """What a query through the doors may cost; clients may ask for less."""

    seconds: float = Field(default=_DEFAULT.seconds, gt=0, description="Time of a query.")
    rows: int = Field(default=_DEFAULT.rows, ge=1, description="Rows of a result.")
    result_bytes: int = Field(default=_DEFAULT.result_bytes, ge=1024, description="Bytes of a result.")
    memory: int = Field(default=_DEFAULT.memory, ge=1 << 20, description="Bytes of memory.")
    threads: int = Field(default=_DEFAULT.threads, ge=1, le=256, description="Threads of a query.")
    at_once: int = Field(default=_DEFAULT.at_once, ge=1, le=256, description="Queries at one time; more wait.")
    wait_seconds: float = Field(default=_DEFAULT.wait_seconds, ge=0, description="How long one more waits.")

    def bounds(self) -> Bounds:
        return Bounds(**self.model_dump())


class DoorTls(Part):
    """PEM files of the ClickHouse doors; read anew when they change."""

    certificate: Path = Field(description="Certificate, with those between it and its authority.")
    key: Path = Field(description="Its private key.")
    client_ca: Path | None = Field(default=None, description="Authorities of clients that show a certificate.")


class DoorsPart(Part):
    """How others reach the embedded store."""

    accounts: tuple[AccountPart, ...] = Field(
        default=(), description="When empty: default, who reads, and rootcause, who also writes findings; no passwords."
    )
    limits: LimitsPart = LimitsPart()
    tls: DoorTls | None = Field(default=None, description="TLS of both doors; plain when not set.")

    @field_validator("accounts")
    @classmethod
    def _differ(cls, accounts: tuple[AccountPart, ...]) -> tuple[AccountPart, ...]:
        names = [account.name for account in accounts]
        if len(set(names)) < len(names):
            raise ValueError("two accounts have the same name")
        return accounts

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        if any(account.identities for account in self.accounts) and not (self.tls and self.tls.client_ca):
            raise ValueError("identities of accounts need tls.client_ca, which says whose certificates count")
        return self
