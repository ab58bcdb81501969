"""Who is registered, and until when.

In: registrations, renewals, the time in seconds. Out: those whose lease is in force. Pure: the time is an argument.
Never: more than `MOST` of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from proxy.control.discovery.instance import Registration

MOST = 20_000


@dataclass(frozen=True)
class Lease:
    """A registration and the time at which it ends."""

    registration: Registration
    ends: float


class Unknown(KeyError):
    """No instance of that name is registered, or its lease has ended."""

    def __str__(self) -> str:
        return f"instance {self.args[0]!r} is not registered, or its lease has ended: register it again"


class Taken(ValueError):
    """The name belongs to another service's instance, or there is no room."""


@dataclass
class Leases:
    """Leases by the name of their instance, in the order of their first registration."""

    _held: dict[str, Lease] = field(default_factory=dict)

    @classmethod
    def begun(cls, registrations: Iterable[Registration], now: float) -> Leases:
        """Those of an earlier process, anew: nobody could renew while it was away."""
        return cls({registration.instance: _lease(registration, now) for registration in registrations})

    @property
    def held(self) -> tuple[Lease, ...]:
        """Every lease that has not been expired."""
        return tuple(self._held.values())

    @property
    def registrations(self) -> tuple[Registration, ...]:
        """Who is registered."""
        return tuple(lease.registration for lease in self._held.values())

    def check(self, registration: Registration) -> None:
        """Raises Taken when it cannot be registered now."""
        before = self._held.get(registration.instance)
        if before is None and len(self._held) >= MOST:
            raise Taken(f"{MOST} instances are registered already")
        if before and before.registration.service != registration.service:
            raise Taken(
                f"instance {registration.instance} is registered for service {before.registration.service};"
                " deregister it there, or choose another name"
            )

    def take(self, registration: Registration, now: float) -> bool:
        """Begins a lease, in the place of an earlier one of the same instance; True when anything but its end is new.

        Raises Taken.
        """
        self.check(registration)
        before = self._held.get(registration.instance)
        self._held[registration.instance] = _lease(registration, now)
        return before is None or before.registration != registration

    def renew(self, instance: str, now: float) -> Lease:
        """Lets a lease begin anew; raises Unknown when there is none, or it has ended."""
        lease = self._held.get(instance)
        if lease is None or lease.ends <= now:
            raise Unknown(instance)
        self._held[instance] = _lease(lease.registration, now)
        return self._held[instance]

    def give_up(self, instance: str) -> Registration:
        """Ends a lease; raises Unknown when there is none."""
        if instance not in self._held:
            raise Unknown(instance)
        return self._held.pop(instance).registration

    def expire(self, now: float) -> list[Registration]:
        """Takes out those whose lease has ended."""
        ended = [lease.registration for lease in self._held.values() if lease.ends <= now]
        for registration in ended:
            del self._held[registration.instance]
        return ended

    def next_end(self) -> float | None:
        """When the first lease ends."""
        return min((lease.ends for lease in self._held.values()), default=None)


def _lease(registration: Registration, now: float) -> Lease:
    return Lease(registration, now + registration.lease / 1_000)
