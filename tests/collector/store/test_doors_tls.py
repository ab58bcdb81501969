"""The ClickHouse doors with TLS, as drivers, curl and our own readers meet them; certificates as accounts."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from clickhouse_driver import Client
from clickhouse_driver.errors import NetworkError, ServerException

from collector.config import load
from collector.errors import ConfigRefused
from collector.store.doors.accounts import Account, Accounts
from collector.store.doors.native import serve_native
from collector.store.errors import AccessRefused
from collector.store.rights import Rights
from collector.tls import Tls
from tests.world.certificates import Authority
from tests.world.collectors import Collector, collector
from tests.world.processes import WHYMESH
from tests.world.stores import ServedStore

OPS = "spiffe://mesh.local/ns/shop/sa/ops"


@dataclass(frozen=True)
class Secured:
    served: Collector
    authority: Authority
    ops: tuple[Path, Path]
    stranger: tuple[Path, Path]

    def client(self, user: str = "default", shown: tuple[Path, Path] | None = None, **options: str) -> Client:
        files = {"certfile": str(shown[0]), "keyfile": str(shown[1])} if shown else {}
        port = self.served.ports["clickhouse_native"]
        return Client("127.0.0.1", port, user=user, secure=True, ca_certs=str(self.authority.ca), **files, **options)

    def curl(self, *options: str) -> str:
        address = f"https://127.0.0.1:{self.served.ports['clickhouse_http']}/?query=SELECT+currentDatabase()"
        done = subprocess.run(
            ["curl", "-sS", "--cacert", str(self.authority.ca), *options, address],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("doors")
    authority = Authority(folder)
    certificate, key = authority.issue("doors")
    (folder / "password").write_text("correct horse")
    config = folder / "collector.yaml"
    config.write_text(
        f"""
doors:
  tls: {{certificate: {certificate}, key: {key}, client_ca: {authority.ca}}}
  accounts:
    - {{name: default}}
    - {{name: guarded, password_file: {folder / "password"}}}
    - {{name: ops, role: owner, identities: ["spiffe://mesh.local/ns/*/sa/ops"]}}
"""
    )
    ops = authority.issue("ops", OPS)
    stranger = authority.issue("stranger", "spiffe://mesh.local/ns/shop/sa/cart")
    with collector(folder, "--config", str(config)) as served:
        yield Secured(served, authority, ops, stranger)


def test_a_driver_reads_over_tls_with_and_without_a_password(secured: Secured) -> None:
    for client in (secured.client(), secured.client("guarded", password="correct horse")):
        with client:
            assert client.execute("SELECT sum(number) FROM numbers(100000)") == [(4999950000,)]
    with secured.client("guarded", password="wrong") as client, pytest.raises(ServerException, match="Authentication"):
        client.execute("SELECT 1")


def test_nothing_is_said_in_the_clear(secured: Secured) -> None:
    with (
        Client("127.0.0.1", secured.served.ports["clickhouse_native"]) as client,
        pytest.raises((NetworkError, EOFError)),
    ):
        client.execute("SELECT 1")


def test_a_certificate_is_an_account_named_or_not(secured: Secured) -> None:
    made = "CREATE TABLE otel.by_{user} (a UInt8) ENGINE = Memory"
    for user in ("ops", "default"):
        with secured.client(user, secured.ops) as client:
            client.execute(made.format(user=user))
            client.execute(f"DROP TABLE otel.by_{user}")
    for user, shown, says in (
        ("ops", None, "Authentication failed"),
        ("ops", secured.stranger, "Authentication failed"),
        ("default", secured.stranger, "do not run CREATE"),
    ):
        with secured.client(user, shown) as client, pytest.raises(ServerException, match=says):
            client.execute(made.format(user="nobody"))


def test_a_certificate_of_another_authority_is_not_let_in(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other").issue("ops", OPS)
    with secured.client("ops", other) as client, pytest.raises((NetworkError, EOFError, ssl.SSLError)):
        client.execute("SELECT 1")


def test_https_takes_passwords_and_certificates(secured: Secured) -> None:
    assert secured.curl() == "otel\n"
    assert "Code: 516" in secured.curl("-u", "ops:")
    certificate, key = secured.ops
    assert secured.curl("-u", "ops:", "--cert", str(certificate), "--key", str(key)) == "otel\n"


def test_our_own_readers_ask_by_an_address(secured: Secured) -> None:
    store = f"clickhouses://127.0.0.1:{secured.served.ports['clickhouse_native']}/otel?ca_certs={secured.authority.ca}"
    asked = [WHYMESH, "sql", "--csv", "SELECT 1 AS one", "--store"]
    done = subprocess.run([*asked, store], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["one", "1"], "")
    untrusted = subprocess.run(
        [*asked, store.partition("?")[0]], capture_output=True, text=True, timeout=60, check=False
    )
    assert untrusted.returncode == 3
    assert "certificate verify failed" in untrusted.stderr


def test_a_renewed_certificate_is_shown_to_the_next_client(served: ServedStore, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = Tls("doors.tls", *authority.issue("doors"), None)
    door = served.call(serve_native(served.store, "127.0.0.1", 0, tls=tls.context))
    try:
        with Client("127.0.0.1", door.port, secure=True, ca_certs=str(authority.ca)) as there:
            there.execute("SELECT 1")
            before = ssl.get_server_certificate(("127.0.0.1", door.port))
            authority.issue("doors")
            assert tls.renew()
            assert ssl.get_server_certificate(("127.0.0.1", door.port)) != before
            assert there.execute("SELECT 2") == [(2,)], "the connection from before stays"
    finally:
        served.call(door.close())


def test_clickhouse_client_reads_over_tls(secured: Secured, tmp_path: Path) -> None:
    if shutil.which("clickhouse-client") is None:
        pytest.skip("clickhouse-client is not installed (apt-get install clickhouse-client)")
    config = tmp_path / "client.xml"
    config.write_text(
        f"<config><secure>1</secure><openSSL><client><caConfig>{secured.authority.ca}</caConfig>"
        "<verificationMode>relaxed</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>"
        "</client></openSSL></config>"
    )
    port = str(secured.served.ports["clickhouse_native"])
    command = ["clickhouse-client", "--config-file", str(config), "--secure", "--port", port, "-q", "select 40 + 2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "42\n", done.stderr


def test_identities_need_an_authority(tmp_path: Path) -> None:
    path = tmp_path / "collector.yaml"
    path.write_text("data: /tmp/x\ndoors: {accounts: [{name: ops, identities: ['spiffe://a/*']}]}\n")
    with pytest.raises(ConfigRefused, match=r"doors: .*identities of accounts need tls\.client_ca"):
        load(path, {})


def test_an_account_with_password_and_identities_takes_either() -> None:
    both = Account("both", "secret", Rights(owner=True), ("spiffe://a/*",))
    accounts = Accounts([Account("default"), both])
    assert accounts.enter("both", "secret") is both
    assert accounts.enter("both", "", ("spiffe://a/x",)) is both
    assert accounts.enter("default", "", ("spiffe://b/x",)).name == "default"
    with pytest.raises(AccessRefused):
        accounts.enter("both", "", ("spiffe://b/x",))
