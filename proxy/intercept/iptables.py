"""Interception as chains of iptables, put in place of those before in one step for each table.

Source: iptables-extensions(8), targets `REDIRECT` and match `owner`; iptables-restore(8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proxy.intercept.interception import Family, Interception

PREFIX = "WHYMESH_"
SAVE: dict[Family, str] = {"ip": "iptables-save", "ip6": "ip6tables-save"}
RESTORE: dict[Family, str] = {"ip": "iptables-restore", "ip6": "ip6tables-restore"}


def change(saved: str, family: Family, wanted: Interception | None) -> str:
    """The input of `iptables-restore --noflush` that takes our rules out of what is `saved` and puts in those wanted.

    Empty when there is nothing to do.
    """
    tables = []
    for table, rules in (("nat", _nat), ("filter", _filter)):
        lines = [*_gone(saved, table), *(rules(wanted, family) if wanted else ())]
        if lines:
            tables.append(f"*{table}\n" + "".join(f"{line}\n" for line in lines) + "COMMIT\n")
    return "".join(tables)


def _gone(saved: str, table: str) -> Iterator[str]:
    """Deletes our rules and chains of one table, jumps to them first."""
    lines = _section(saved.splitlines(), table)
    chains = [line[1:].split()[0] for line in lines if line.startswith(f":{PREFIX}")]
    for line in lines:
        if line.startswith("-A ") and not line.startswith(f"-A {PREFIX}") and f"-j {PREFIX}" in line:
            yield f"-D {line.removeprefix('-A ')}"
    yield from (f"-F {chain}" for chain in chains)
    yield from (f"-X {chain}" for chain in chains)


def _section(lines: list[str], table: str) -> list[str]:
    if f"*{table}" not in lines:
        return []
    start = lines.index(f"*{table}")
    return lines[start : lines.index("COMMIT", start)]


def _nat(wanted: Interception, family: Family) -> Iterator[str]:
    if wanted.outbound and family in wanted.outbound.families:
        chain = f"{PREFIX}OUTBOUND"
        yield f":{chain} - [0:0]"
        yield f"-A {chain} -m owner --uid-owner {wanted.user} -j RETURN"
        yield from (f"-A {chain} -d {network} -j RETURN" for network in wanted.skipped(family))
        yield from _each(wanted.skip_ports, chain, "RETURN")
        yield f"-A {chain} -p tcp -j REDIRECT --to-ports {wanted.outbound.port}"
        yield f"-A OUTPUT -p tcp -j {chain}"
    if wanted.inbound and family in wanted.inbound.families:
        chain = f"{PREFIX}INBOUND"
        yield f":{chain} - [0:0]"
        yield from _each(wanted.app_ports, chain, f"REDIRECT --to-ports {wanted.inbound.port}")
        yield f"-A PREROUTING -p tcp -j {chain}"


def _each(ports: Iterable[int], chain: str, target: str) -> Iterator[str]:
    return (f"-A {chain} -p tcp -m tcp --dport {port} -j {target}" for port in ports)


def _filter(wanted: Interception, family: Family) -> Iterator[str]:
    if wanted.guarded_port and wanted.outbound and family in wanted.outbound.families:
        chain = f"{PREFIX}GUARD"
        yield f":{chain} - [0:0]"
        yield f"-A {chain} ! -i lo -p tcp -m tcp --dport {wanted.guarded_port} -j DROP"
        yield f"-A INPUT -p tcp -j {chain}"
