"""Compiles one registry for many proxies; what several of them get alike is made once, and what is as before kept.

In: a registry, and the compiler of the one before. Out: snapshots, also as JSON. Pure: what is shared makes no
difference but to the time it takes.
"""

from __future__ import annotations

from functools import cached_property

from proxy.control.compile.encryption import trust
from proxy.control.compile.faults import named_callers
from proxy.control.compile.gateway import gateway_workload
from proxy.control.compile.limits import limits
from proxy.control.compile.reach import reached
from proxy.control.compile.services import upstream
from proxy.control.compile.telemetry import telemetry
from proxy.control.compile.workloads import workload
from proxy.control.documents import Service
from proxy.control.proxies import Proxy
from proxy.control.registry import Registry
from proxy.snapshot import Snapshot, Upstream, Workload

_Key = tuple[str, str, str]


class _Shared:
    """A service as several callers see it."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    @cached_property
    def json(self) -> str:
        return self.upstream.model_dump_json()


class Compiler:
    """Everything the proxies of one registry must do."""

    def __init__(self, registry: Registry, before: Compiler | None = None) -> None:
        self._registry = registry
        self._before: dict[_Key, _Shared] = before._called if before else {}
        self._called: dict[_Key, _Shared] = {}
        self._by_id: dict[int, _Shared] = {}
        self._reached: dict[str, tuple[Upstream, ...]] = {}
        self._known = {service.full_name: service for service in registry.services}
        self._named = named_callers(registry)

    def snapshot(self, proxy: Proxy, epoch: int) -> Snapshot:
        """What one of them must do as of `epoch`."""
        registry, gateway = self._registry, proxy.gateway
        if gateway is not None:
            return Snapshot(
                epoch=epoch,
                workloads=(gateway_workload(registry, gateway),),
                telemetry=telemetry(registry.telemetry(proxy)),
                limits=limits(gateway.spec.limits or registry.mesh.spec.limits),
                trust=trust(registry),
            )
        return Snapshot(
            epoch=epoch,
            workloads=tuple(workload(registry, *one, self._reached_by(one[0])) for one in proxy.instances),
            telemetry=telemetry(registry.telemetry(proxy)),
            limits=limits(registry.mesh.spec.limits),
            trust=trust(registry),
        )

    def line(self, snapshot: Snapshot) -> bytes:
        """A snapshot as one line of JSON, its epoch first."""
        workloads = ",".join(self._workload(one) for one in snapshot.workloads)
        return f'{snapshot.model_dump_json(exclude={"workloads"})[:-1]},"workloads":[{workloads}]}}\n'.encode()

    def _workload(self, one: Workload) -> str:
        services = ",".join(self._service(each) for each in one.services)
        return f'{one.model_dump_json(exclude={"services"})[:-1]},"services":[{services}]}}'

    def _service(self, one: Upstream) -> str:
        shared = self._by_id.get(id(one))
        return shared.json if shared else one.model_dump_json()

    def _reached_by(self, caller: Service) -> tuple[Upstream, ...]:
        """The services that a caller reaches, in the order of the registry; the same for all its instances."""
        if caller.full_name not in self._reached:
            self._reached[caller.full_name] = reached(self._registry, caller, self._upstream)
        return self._reached[caller.full_name]

    def _upstream(self, name: str, caller: Service) -> Upstream:
        """A caller matters by its namespace (routes), and where a fault names it."""
        whose = caller.full_name if caller.full_name in self._named else ""
        key = (name, caller.metadata.namespace, whose)
        if key not in self._called:
            made = _Shared(upstream(self._registry, self._known[name], caller))
            before = self._before.get(key)
            self._called[key] = before if before is not None and before.upstream == made.upstream else made
            self._by_id[id(self._called[key].upstream)] = self._called[key]
        return self._called[key].upstream

    def forget(self) -> None:
        """Lets go of the compiler of before, from which everything is taken by now."""
        self._before = {}
