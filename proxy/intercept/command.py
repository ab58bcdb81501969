"""`whymesh intercept`: the command line of interception. In: options. Out: rules in the kernel, or on the screen."""

from __future__ import annotations

import pwd
from ipaddress import ip_network
from typing import Literal

import click

from proxy.intercept import iptables, nftables
from proxy.intercept.interception import Interception, Listening, Network, Unusable
from proxy.intercept.tools import Refused, Tool, available, preferred, put

PORT = click.IntRange(1, 65_535)


@click.command(name="intercept")
@click.option("--apply", "what", flag_value="apply", help="Put the rules in force, in place of those before.")
@click.option("--remove", "what", flag_value="remove", help="Take them out again.")
@click.option("--show", "what", flag_value="show", help="Print the rules that --apply would put in force.")
@click.option("--user", help="Name or number of the user the proxy runs as: its connections are left alone.")
@click.option("--outbound", help="The proxy's `sidecar.outbound`: where the application's connections go.")
@click.option("--inbound", help="The proxy's `sidecar.inbound`: where connections to the application go.")
@click.option("--app-port", "app_ports", multiple=True, type=PORT, help="A port of the application, for --inbound.")
@click.option("--skip-port", "skip_ports", multiple=True, type=PORT, help="Left alone on the way out.")
@click.option("--skip-network", "skip_networks", multiple=True, help="Left alone on the way out, as 10.0.0.0/8.")
@click.option("--tool", type=click.Choice(["nftables", "iptables"]), help="Which to use [default: nftables if there].")
def command(
    what: Literal["apply", "remove", "show"] | None,
    user: str | None,
    outbound: str | None,
    inbound: str | None,
    app_ports: tuple[int, ...],
    skip_ports: tuple[int, ...],
    skip_networks: tuple[str, ...],
    tool: Tool | None,
) -> None:
    """Let the kernel redirect an application's connections to the proxy beside it.

    The proxy needs `sidecar.transparent: true` in the mesh configuration and a user of its own. Loopback is left alone.

    \b
    Examples:
      whymesh intercept --apply --user whymesh --outbound 127.0.0.1:15001 --inbound 0.0.0.0:15006 --app-port 8080
      whymesh intercept --show --user whymesh --outbound '[::]:15001' --tool iptables
      whymesh intercept --remove
    """
    if what is None:
        raise click.UsageError("one of --apply, --remove and --show is needed")
    try:
        if what == "remove":
            for each in [tool] if tool else available():
                put(each, None)
            return
        wanted = Interception(
            user=_number(user),
            outbound=Listening.parse(outbound) if outbound else None,
            inbound=Listening.parse(inbound) if inbound else None,
            app_ports=app_ports,
            skip_ports=skip_ports,
            skip_networks=tuple(map(_network, skip_networks)),
        )
        wanted.check()
        chosen = tool or preferred()
        if what == "show":
            click.echo(_shown(chosen, wanted), nl=False)
        else:
            for each in {chosen, *available()}:
                put(each, wanted if each == chosen else None)
    except (Unusable, Refused) as error:
        raise click.UsageError(str(error)) from None


def _number(user: str | None) -> int:
    if user is None:
        raise Unusable("--user is needed: without it the proxy's own connections would come back to it")
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise Unusable(f"--user {user}: there is no such user on this machine") from None


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise Unusable(f"--skip-network: {error}; expected a network such as 10.0.0.0/8 or fd00::/8") from None


def _shown(tool: Tool, wanted: Interception) -> str:
    if tool == "nftables":
        return nftables.ruleset(wanted)
    return "".join(
        f"# {restore} --noflush\n{iptables.change('', family, wanted)}" for family, restore in iptables.RESTORE.items()
    )
