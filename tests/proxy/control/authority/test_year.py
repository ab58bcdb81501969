"""A year of a mesh in seconds: certificates come and go, links are down for days, and nobody is cut off."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store

from proxy.control.authority.authority import Authority, Issued
from proxy.control.authority.errors import NotPossible
from proxy.control.authority.ledger import Ledger
from proxy.control.authority.rotation import Standing
from proxy.control.authority.spiffe import spiffe_id
from proxy.control.authority.terms import Terms

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


@dataclass
class Proxy:
    """What one proxy has: the roots it was last told of, its certificate, and when it hears from nobody."""

    name: str
    down: list[tuple[datetime, datetime]] = field(default_factory=list)
    bundle: tuple[bytes, ...] = ()
    held: Issued | None = None

    @property
    def uri(self) -> str:
        return spiffe_id("mesh.local", "default", self.name)

    def reaches_control(self, now: datetime) -> bool:
        return not any(begin <= now < end for begin, end in self.down)

    def hour(self, authority: Authority, now: datetime) -> None:
        """Takes the newest roots, and renews when that is due or another root signs now."""
        if not self.reaches_control(now):
            return
        self.bundle = authority.bundle()
        if self.held is None or now >= self.held.renew_at or self.held.bundle[0] != self.bundle[0]:
            self.held = authority.issue(self.name, self.uri, KEY, now)

    def trusts(self, other: Proxy, now: datetime) -> bool:
        """Verifies what the other one shows as a TLS library does."""
        assert other.held
        leaf, issuer = (x509.load_der_x509_certificate(each) for each in other.held.chain)
        store = Store([x509.load_der_x509_certificate(root) for root in self.bundle])
        verifier = PolicyBuilder().store(store).time(now).build_client_verifier()
        try:
            verifier.verify(leaf, [issuer])
        except x509.verification.VerificationError:
            return False
        return True


def standing(proxies: list[Proxy], authority: Authority) -> Standing:
    return Standing(
        members=frozenset((proxy.name, proxy.uri) for proxy in proxies),
        acknowledged=frozenset(proxy.name for proxy in proxies if proxy.bundle == authority.bundle()),
    )


def test_a_year_of_rotations_and_outages_cuts_nobody_off() -> None:
    """A link may be down for a third of a certificate's life; that is what renewing at two thirds is for."""
    terms = Terms(leaf=timedelta(days=9), issuer=timedelta(days=30), root=timedelta(days=120))
    authority = Authority(Ledger(None, "mesh.local"), "mesh.local", terms, BEGIN)
    dice = random.Random(6)
    proxies = [Proxy(f"p-{number}") for number in range(4)]
    for proxy in proxies:
        starts = [BEGIN + timedelta(days=dice.uniform(20 * n, 20 * n + 15)) for n in range(1, 18)]
        proxy.down = [(start, start + timedelta(days=dice.uniform(0.2, 2.8))) for start in starts]
    done: list[str] = []
    roots = set()
    for number in range(366 * 4):
        now = BEGIN + timedelta(hours=6 * number)
        for proxy in proxies:
            proxy.hour(authority, now)
        done += authority.rotation.tend(now, standing(proxies, authority))
        roots |= set(authority.bundle())
        one, other = dice.sample(proxies, 2)
        assert one.trusts(other, now), f"{now}: {one.name} does not trust {other.name}; so far: {done}"
    assert len(roots) >= 4
    assert done.count("the old root is trusted no more") >= 3
    assert done.count("a new issuer signs from now on") >= 9


@pytest.fixture
def authority() -> Authority:
    return Authority(Ledger(None, "mesh.local"), "mesh.local", Terms(), BEGIN)


def test_each_step_of_a_root_waits_for_every_proxy(authority: Authority) -> None:
    proxies = [Proxy("near"), Proxy("far")]
    for proxy in proxies:
        proxy.hour(authority, BEGIN)
    near, far = proxies
    (before,) = authority.bundle()
    authority.rotation.begin(BEGIN)
    assert authority.bundle()[0] == before, "nobody is to show what others do not trust yet"

    near.hour(authority, BEGIN)
    assert authority.rotation.tend(BEGIN, standing(proxies, authority)) == []
    assert authority.rotation.waiting(standing(proxies, authority), BEGIN) == ["far"]
    far.hour(authority, BEGIN)
    assert authority.rotation.tend(BEGIN, standing(proxies, authority)) == [
        "the new root signs; every proxy renews its certificate"
    ]
    assert authority.bundle()[1] == before

    near.hour(authority, BEGIN)
    assert near.trusts(far, BEGIN)
    assert far.trusts(near, BEGIN)
    settled = BEGIN + timedelta(seconds=16)
    assert authority.rotation.waiting(standing(proxies, authority), BEGIN) == ["far", "near"], "an answer is under way"
    assert authority.rotation.waiting(standing(proxies, authority), settled) == ["far"]
    far.hour(authority, BEGIN)
    assert authority.rotation.tend(BEGIN, standing(proxies, authority)) == []
    assert authority.rotation.tend(settled, standing(proxies, authority)) == ["the old root is trusted no more"]
    assert before not in authority.bundle()
    assert len(authority.bundle()) == 1


def test_one_rotation_at_a_time(authority: Authority) -> None:
    authority.rotation.begin(BEGIN)
    with pytest.raises(NotPossible, match="a rotation goes on since 2026-01-01 00:00:00 UTC"):
        authority.rotation.begin(BEGIN)


def test_a_proxy_that_never_comes_back_delays_until_its_certificate_ends(authority: Authority) -> None:
    """It has left the configuration, or its certificate has ended: then there is nothing left to wait for."""
    gone = Proxy("gone")
    gone.hour(authority, BEGIN)
    authority.rotation.begin(BEGIN)
    everybody = Standing(frozenset({("gone", gone.uri)}), frozenset({"gone"}))
    authority.rotation.tend(BEGIN, everybody)
    assert authority.rotation.waiting(everybody, BEGIN + 23 * HOUR) == ["gone"]
    assert authority.rotation.waiting(Standing(), BEGIN + 23 * HOUR) == []
    assert authority.rotation.waiting(everybody, BEGIN + 25 * HOUR) == []


def test_an_authority_that_slept_through_its_own_end_starts_over(authority: Authority) -> None:
    late = authority.signers.active.ends + timedelta(days=1)
    done = [authority.rotation.tend(late, Standing()) for _ in range(3)]
    assert [len(step) for step in done] == [1, 1, 1]
    assert authority.issue("a-1", "spiffe://mesh.local/ns/default/sa/a", KEY, late).not_after > late
