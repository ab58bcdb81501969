"""The data plane. In: one snapshot as JSON. Out: requests carried, spans exported, counters."""

from pathlib import Path
from typing import final

__all__ = [
    "ATTRIBUTES", "BUILD_PROFILE", "REASONS", "BindError", "Channel", "Engine", "Key", "SnapshotRefused", "Succession",
    "View", "check", "check_expression", "check_keys", "decide", "route_taken",
]  # fmt: skip

ATTRIBUTES: list[str]
"""Every `mesh.*` span attribute the engine can write."""

BUILD_PROFILE: str
""""debug" or "release": benchmarks refuse the former."""

REASONS: list[str]
"""The closed catalogue of `mesh.reason` codes (docs/reasons.md)."""

class SnapshotRefused(ValueError):
    """The snapshot cannot be served; the message names the field and what is wrong with it."""

class BindError(OSError):
    """A listener could not be opened; the message names the address and the cause."""

def check(snapshot: str) -> int:
    """Validates a snapshot without serving it and returns its epoch; raises SnapshotRefused."""

def check_expression(pattern: str) -> None:
    """Compiles a regular expression as routes do; raises ValueError saying what is wrong with it."""

def check_keys(jwks: str) -> int:
    """Reads a JSON Web Key Set as proxies do, and returns how many of its keys they can use.

    Raises ValueError when there is none.
    """

def decide(authorization: str, question: str) -> str:
    """Decides about a request that nobody made, by the very rules that proxies hold requests against; JSON for JSON.

    `authorization` is that part of a snapshot's workload. The question has `caller` (a SPIFFE id, or null), `port`,
    `method` (null: a tunnel), `path` with its query, `headers` (pairs) and `claims` of a token (an object, or null).
    The answer has `allowed`, `reason` (a code, or empty), `rule`, `missed`, and `would` (what policies in audit would
    deny it for, or null). Raises SnapshotRefused, naming what cannot be understood.
    """

def route_taken(routes: str, question: str) -> int | None:
    """Which of the routes of a service (JSON, as in a snapshot) a request would take that nobody made.

    The question has `method` and `path` with its query; headers are taken to be absent. Raises SnapshotRefused.
    """

@final
class View:
    """What one onlooker sees."""

    def read(self, timeout_s: float) -> bytes | None:
        """The lines of JSON since the last call, as soon as there are any.

        Empty when the time is over, None when nothing more will come. `{"missed": 7}` stands for lines that came
        while two megabytes waited to be read.
        """

    def close(self) -> None:
        """Nothing more is wanted."""

@final
class Engine:
    """Worker threads that carry traffic as the snapshot says, from construction until drain.

    While the collector is away, spans wait in the directory `spool` (made if need be, one engine at a time), or in
    memory only without one. A directory that cannot be used is named in `stats`, and stops nothing.
    When an engine waits at `replace` for its successor (a `Succession`), its listening sockets are taken over.
    It shows the certificates of `identities` from its first connection on: as `identify` takes them, by service.
    The resource of all that it records says `surroundings`, too, but for what it says of a workload anyway.
    Raises SnapshotRefused or BindError; nothing is left listening when it does. RuntimeError when the sockets of the
    other engine cannot be taken over; it serves on then.
    """

    def __new__(
        cls,
        snapshot: str,
        workers: int = 1,
        spool: Path | None = None,
        replace: Path | None = None,
        identities: dict[str, tuple[Key, list[bytes]]] | None = None,
        surroundings: dict[str, str] | None = None,
    ) -> Engine: ...
    def apply(self, snapshot: str) -> int:
        """Serves a newer snapshot from the next request on and returns its epoch; requests in flight finish.

        Listeners that are new open, those that are gone close. Raises SnapshotRefused, also when a listener cannot be
        opened; the old one stays in force then.
        """

    def flush(self, traces: list[str]) -> None:
        """Sends what is kept of these traces (mode `recorder`), and what is still to come of them, once.

        Raises ValueError when one is not 32 lower-case hexadecimal digits.
        """

    def flagged(self, most: int, timeout_s: float) -> list[str]:
        """Waits for traces that were flagged here, which every proxy should flush; at most `most` of them.

        Each is returned once; none when the time is over.
        """

    def view(self, wish: dict[str, str]) -> View:
        """Shows requests as they end, or the last ones, to whoever reads the view (docs/telemetry.md, "Looking on").

        `wish` holds conditions by name. Raises ValueError naming one that makes no sense, and RuntimeError when eight
        others look on already; a view counts until it is closed and gone.
        """

    def stats(self) -> str:
        """Exact counters since start, as JSON (docs/telemetry.md, "Engine counters")."""

    def problems(self) -> list[str]:
        """What is wrong, or soon will be, with the certificates that clients outside the mesh are shown."""

    def identify(self, service: str, key: Key, chain: list[bytes]) -> None:
        """New connections of this service's workloads show this certificate, and calls go over new ones.

        Requests under way end where they are.

        `chain` is DER, the leaf first and the root left out. Raises ValueError when the leaf breaks a rule for
        X.509-SVIDs, or belongs to another key.
        """

    def denied(self) -> list[str]:
        """Services whose own certificate, the one identified last, is denied by the snapshot in force."""

    def pass_on(self, succession: Succession, timeout_s: float) -> bool:
        """Waits for a successor and gives it the listening sockets; False when none comes in time.

        True once the successor serves them: this engine is to drain then. Raises OSError.
        """

    def drain(self, timeout_s: float) -> bool:
        """Stops accepting, lets requests finish, exports what is queued or leaves it in the spool.

        True when nothing was cut off or left in memory.
        """

@final
class Channel:
    """A connection to a control plane over TLS 1.3, by a server that its authority has named so.

    `roots` (DER) are believed, and the certificate among those the server shows whose SHA-256 is `pin`. `shown` is what
    the server may ask for. Raises ValueError for what makes no sense, OSError when nobody is there, another server is,
    or when that takes longer than `timeout_s`, which holds for each call then.
    """

    def __new__(
        cls,
        host: str,
        port: int,
        roots: list[bytes],
        pin: bytes | None,
        shown: tuple[Key, list[bytes]] | None,
        timeout_s: float,
    ) -> Channel: ...
    def send(self, data: bytes) -> None:
        """All of it. Raises OSError."""

    def read(self, most: int) -> bytes:
        """Some bytes, `most` at most; none when the server has ended. Raises OSError."""

@final
class Succession:
    """The path of a Unix socket at which an engine waits for its successor; whoever waited there before does no longer.

    Only the same user may connect. Raises OSError, also when the path is longer than 107 bytes.
    """

    def __new__(cls, path: Path) -> Succession: ...

@final
class Key:
    """A new private key (ECDSA on P-256), which never leaves this memory unsealed. Raises ValueError."""

    def __new__(cls) -> Key: ...
    def csr(self, uris: list[str]) -> bytes:
        """A signed request for a certificate on these URI names (PKCS#10, DER). Raises ValueError."""

    def sign(self, message: bytes) -> bytes:
        """Proves to whoever knows the certificate that one holds its key: ECDSA with SHA-256, in ASN.1."""

    def seal(self, secret: bytes) -> bytes:
        """The key for a disk that may be stolen: AES-256-GCM under 600 000 rounds of PBKDF2 of the secret."""

    @staticmethod
    def unseal(sealed: bytes, secret: bytes) -> Key:
        """The same key again. Raises ValueError when the secret is another one or the bytes were changed."""
