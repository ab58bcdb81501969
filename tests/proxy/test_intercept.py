"""`whymesh intercept` before it touches the kernel: what it shows, and what it refuses."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from proxy.intercept import iptables
from proxy.intercept.command import command
from proxy.intercept.interception import Interception, Listening

BOTH = ("--user", "1337", "--outbound", "127.0.0.1:15001", "--inbound", "0.0.0.0:15006", "--app-port", "8080")


def test_nftables_are_shown_as_they_would_be_applied() -> None:
    shown = CliRunner().invoke(command, ["--show", "--tool", "nftables", "--skip-port", "22", *BOTH])
    assert shown.exit_code == 0, shown.output
    for line in (
        "meta skuid 1337 return",
        "meta nfproto ipv6 return",
        "ip daddr { 127.0.0.0/8 } return",
        "tcp dport { 22 } return",
        "meta l4proto tcp redirect to :15001",
        "tcp dport { 8080 } redirect to :15006",
    ):
        assert f"\t\t{line}\n" in shown.output
    assert "guard" not in shown.output, "loopback cannot be reached from elsewhere"


def test_iptables_take_their_own_rules_back_and_no_others() -> None:
    wanted = Interception(user=1337, outbound=Listening.parse("127.0.0.1:15001"))
    added = iptables.change("", "ip", wanted)
    assert iptables.change("", "ip6", wanted) == "", "nothing of IPv6 could arrive there"
    saved = added.replace("COMMIT", "-A OUTPUT -p tcp -m tcp --dport 9 -j ACCEPT\nCOMMIT")
    assert iptables.change(saved, "ip", None) == (
        "*nat\n-D OUTPUT -p tcp -j WHYMESH_OUTBOUND\n-F WHYMESH_OUTBOUND\n-X WHYMESH_OUTBOUND\nCOMMIT\n"
    )
    assert iptables.change("", "ip", None) == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "one of --apply, --remove and --show is needed"),
        (["--show"], "--user is needed"),
        (["--show", "--user", "nobody-of-that-name"], "there is no such user"),
        (["--show", "--user", "1"], "nothing to redirect"),
        (["--show", "--user", "1", "--outbound", "localhost:1"], "expected ip:port"),
        (["--show", "--user", "1", "--outbound", "127.0.0.1:70000"], "expected a port between 1 and 65535"),
        (["--show", "--user", "1", "--outbound", "10.0.0.1:1"], "let the proxy listen on 127.0.0.1"),
        (["--show", "--user", "1", "--inbound", "127.0.0.1:1", "--app-port", "2"], "let the proxy listen on 0.0.0.0"),
        (["--show", "--user", "1", "--inbound", "0.0.0.0:1"], "--inbound and --app-port go together"),
        (["--show", *BOTH, "--skip-network", "10.0.0.1/8"], "has host bits set"),
    ],
)
def test_a_mistake_is_refused_with_what_to_do(options: list[str], said: str) -> None:
    refused = CliRunner().invoke(command, options)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.split())
