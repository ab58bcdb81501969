"""Where notifications may go: http or https, and never to the addresses from which clouds hand out credentials."""

import hashlib
import ipaddress
import socket
from dataclasses import dataclass

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from rootcause.alerts.formats import FORMATS, Format
from rootcause.alerts.notice import Notice
from rootcause.alerts.template import Template
from rootcause.promises.alarms import Severity, reaches

_METADATA = frozenset(
    ipaddress.ip_address(address) for address in ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TOKEN = 20
"""Words of so many characters are made by machines."""
_SHOWN = 4


class TargetRefused(ValueError):
    """A webhook may not go there; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a webhook is told, and how: of no `services` means of all, `gather_s` seconds are waited for messages that
    can go out together with the first, `per_minute` is the most that it is sent."""

    services: tuple[str, ...] = ()
    severity: Severity = "warning"
    per_minute: float = 60.0
    gather_s: float = 0.0
    template: Template | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """One webhook: its address, its format, PagerDuty's `key`, what messages are signed with, what it wishes for, where
    its readers find the web UI."""

    url: URL
    format: Format = "json"
    key: str = ""
    secret: bytes | None = None
    wish: Wish = Wish()
    ui: str = ""

    @property
    def name(self) -> str:
        """For people: without what is secret in it, which is what stands before the host, in the query, and where
        Slack, Discord and Teams put it: in long words of the path, of which the beginning tells one from the other."""
        path = "/".join(_shortened(word) for word in self.url.raw_path.split("/"))
        shown = self.url.with_user(None).with_query(None).with_path("")
        return f"{'' if self.format == 'json' else self.format + '+'}{shown}{path}"

    @property
    def template(self) -> Template | None:
        return self.wish.template

    def wants(self, notice: Notice) -> bool:
        """Whether it is told of this."""
        wish = self.wish
        return reaches(notice.severity, wish.severity) and (not wish.services or notice.component in wish.services)

    @property
    def queue(self) -> str:
        """Tells its messages from those of others, also of another run."""
        return hashlib.sha256(f"{self.format}+{self.url}".encode()).hexdigest()[:16]


def read_target(
    text: str,
    *,
    allow_link_local: bool,
    key: str = "",
    secret: bytes | None = None,
    wish: Wish = Wish(),
    ui: str = "",
) -> Target:
    """A webhook as people write it: a URL, after the format and a plus when it is not `json`
    (`slack+https://hooks.slack.com/...`). Raises TargetRefused. Names are checked again each time they are resolved."""
    kind, plus, rest = text.partition("+")
    if not plus or "://" in kind:
        kind, rest = "json", text
    found = next((known for known in FORMATS if known == kind), None)
    if found is None:
        raise TargetRefused(f"webhook {text!r}: {kind} is not a format; known: {', '.join(FORMATS)}")
    if found == "pagerduty" and not key:
        raise TargetRefused(f"webhook {text!r}: PagerDuty needs an integration key; set webhooks.pagerduty_key_file")
    return Target(
        _check(rest, allow_link_local=allow_link_local), found, key if found == "pagerduty" else "", secret, wish, ui
    )


def _check(url: str, *, allow_link_local: bool) -> URL:
    try:
        parsed = URL(url)
    except ValueError as error:
        raise TargetRefused(f"webhook {url!r}: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise TargetRefused(f"webhook {url!r}: expected http://host/path or https://host/path")
    address = _literal(parsed.host)
    if address is not None and forbidden(str(address)) and not allow_link_local:
        raise TargetRefused(
            f"webhook {url!r}: {address} is a link-local or metadata address; set webhooks.allow_link_local: true"
            " if you mean it"
        )
    return parsed


def _shortened(word: str) -> str:
    return word if len(word) < _TOKEN else f"{word[:_SHOWN]}…"


def _literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, in each way in which a system reads one: also `2852039166` or `0251.0376.43518`
    (inet_aton(3)). None for a name."""
    bare = host.partition("%")[0].rstrip(".")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    except OSError:
        return None


def forbidden(address: str) -> bool:
    """Whether an IP address is link-local (169.254/16, fe80::/10) or a known metadata service, or leads to one: mapped
    (RFC 4291), translated (NAT64, RFC 6052) or tunnelled (6to4, RFC 3056)."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inside = _inside(parsed) if isinstance(parsed, ipaddress.IPv6Address) else None
    return any(one.is_link_local or one in _METADATA for one in (parsed, inside) if one is not None)


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address to which it leads."""
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[-4:])
    return address.ipv4_mapped or address.sixtofour


class CheckedResolver(AbstractResolver):
    """Resolves names like the system does, but not to forbidden addresses, so that DNS cannot get around the check."""

    def __init__(self, *, allow_link_local: bool) -> None:
        self._system = ThreadedResolver()
        self._allow = allow_link_local

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError when every address of `host` is forbidden."""
        found = await self._system.resolve(host, port, family)
        allowed = [result for result in found if self._allow or not forbidden(result["host"])]
        if not allowed:
            raise OSError(f"{host} resolves to a link-local or metadata address, to which webhooks may not go")
        return allowed

    async def close(self) -> None:
        await self._system.close()
