"""A Pod of any shape gets one proxy, in front of all that it has, and nothing of it is lost."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.control.kubernetes.injection.containers import INTERCEPT, JOIN, PROXY, ROOTS, STATE, Settings
from proxy.control.kubernetes.injection.pod import Injection, inject
from proxy.resource import VARIABLE, surroundings
from tests.contract import kubernetes_fields
from tests.world.json_patch import applied

SETTINGS = Settings(
    "whymesh:9", "https://control:7461", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
)


def pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """As the API server shows it to webhooks."""
    made = list(containers) or [container("app", 8080)]
    return {"metadata": {"generateName": "orders-"}, "spec": {"containers": made, **spec}}


def container(name: str, *ports: int, **more: Any) -> dict[str, Any]:
    declared = {"ports": [{"containerPort": port} for port in ports]} if ports else {}
    return {"name": name, "image": "example/app:1", **declared, **more}


def told(one: dict[str, Any], **annotations: str) -> dict[str, Any]:
    said = {f"whymesh.io/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return {**one, "metadata": {**one["metadata"], "annotations": said}}


def injected(one: dict[str, Any], service_port: int | None = None, namespace: str = "shop") -> tuple[Any, Injection]:
    before = copy.deepcopy(one)
    made = inject(one, namespace, service_port, SETTINGS)
    assert one == before, "what is decided on is not changed"
    return applied(one, made.patch), made


def command_of(one: dict[str, Any], name: str) -> list[str]:
    (found,) = [each for each in one["spec"]["initContainers"] if each["name"] == name]
    command: list[str] = found["command"]
    return command


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_a_plain_pod_gets_a_proxy_before_everything_else_that_joins_by_its_account() -> None:
    own = container("migrate")
    after, made = injected(pod(initContainers=[own], volumes=[{"name": "mine", "emptyDir": {}}]))
    assert made.warnings == ()
    assert [one["name"] for one in after["spec"]["initContainers"]] == [INTERCEPT, PROXY, "migrate"]
    assert [one["name"] for one in after["spec"]["volumes"]] == ["mine", JOIN, STATE]
    assert after["metadata"]["labels"] == {"whymesh.io/sidecar": "true"}
    assert after["metadata"]["annotations"] == {ROOTS: SETTINGS.roots}
    proxy = after["spec"]["initContainers"][1]
    assert (proxy["image"], proxy["restartPolicy"]) == ("whymesh:9", "Always")
    assert option(proxy["command"], "--instance") == "$(POD_NAME).shop"
    assert option(proxy["command"], "--control") == "https://control:7461"
    intercept = command_of(after, INTERCEPT)
    assert option(intercept, "--app-port") == "8080"
    assert option(intercept, "--user") == str(proxy["securityContext"]["runAsUser"])


def test_what_the_proxy_records_says_the_node_and_the_pod() -> None:
    after, _ = injected(pod())
    (proxy,) = [one for one in after["spec"]["initContainers"] if one["name"] == PROXY]
    paths = {"spec.nodeName": "worker-3", "metadata.namespace": "shop", "metadata.name": "orders-7d4f"}
    variables: dict[str, str] = {}
    for one in proxy["env"]:  # in order, as the kubelet does
        if "valueFrom" in one:
            path = one["valueFrom"]["fieldRef"]["fieldPath"]
            variables[one["name"]] = paths.get(path, path)
        else:
            variables[one["name"]] = re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], one["value"])
    assert surroundings(variables[VARIABLE], "orders-7d4f") == (
        {"k8s.node.name": "worker-3", "k8s.namespace.name": "shop", "k8s.pod.name": "orders-7d4f"},
        [],
    )


def test_in_the_default_namespace_an_instance_is_called_like_its_pod() -> None:
    after, _ = injected(pod(), namespace="default")
    assert option(command_of(after, PROXY), "--instance") == "$(POD_NAME)"


def test_the_port_is_that_of_an_annotation_or_the_service_or_the_first_that_is_declared() -> None:
    several = pod(container("app", 9090, 8080))
    for one, service, port in (
        (several, None, "9090"),
        (several, 8080, "8080"),
        (told(several, app_port="7070"), 8080, "7070"),
    ):
        assert option(command_of(injected(one, service)[0], INTERCEPT), "--app-port") == port
    nobody_calls = command_of(injected(pod(container("app")))[0], INTERCEPT)
    assert "--inbound" not in nobody_calls
    assert option(nobody_calls, "--outbound") == "127.0.0.1:15001"


def test_annotations_say_which_connections_are_left_alone() -> None:
    after, _ = injected(told(pod(), skip_ports="5432, 6379", skip_networks="10.0.0.0/8", admin_port="16020"))
    command = command_of(after, INTERCEPT)
    assert [command[at + 1] for at, one in enumerate(command) if one == "--skip-port"] == ["5432", "6379"]
    assert option(command, "--skip-network") == "10.0.0.0/8"
    assert option(command_of(after, PROXY), "--admin") == "$(POD_IP):16020"
    plain, _ = injected(told(pod(), transparent="false"))
    assert [one["name"] for one in plain["spec"]["initContainers"]] == [PROXY], "nothing is redirected"


REFUSED = {
    "hostNetwork": pod(hostNetwork=True),
    "Linux only": pod(os={"name": "windows"}),
    "called whymesh-proxy": pod(container("whymesh-proxy")),
    "called whymesh-intercept": pod(initContainers=[container("whymesh-intercept")]),
    "called whymesh-state": pod(volumes=[{"name": "whymesh-state", "emptyDir": {}}]),
    "user 1337": pod(container("app", securityContext={"runAsUser": 1337})),
    "brings one along": {**pod(), "metadata": {"labels": {"whymesh.io/sidecar": "true"}}},
    "expected a port": told(pod(), app_port="http"),
    "a port (got '70000')": told(pod(), skip_ports="80,70000"),
    "expected a network": told(pod(), skip_networks="10.0.0.1/8"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_pod_that_cannot_have_one_starts_without_and_says_why(why: str) -> None:
    made = inject(REFUSED[why], "shop", 8080, SETTINGS)
    assert made.patch == ()
    (warning,) = made.warnings
    assert why in warning


def test_who_opts_out_is_left_alone_and_hears_nothing() -> None:
    labelled = {**pod(), "metadata": {"labels": {"whymesh.io/inject": "false"}}}
    for one in (labelled, told(pod(), inject="false")):
        assert inject(one, "shop", 8080, SETTINGS) == Injection()


def test_probes_of_the_port_are_asked_by_the_proxy_and_others_by_the_kubelet() -> None:
    http = {"httpGet": {"path": "/healthz", "port": "web", "httpHeaders": [{"name": "X-A", "value": "$(b)"}]}}
    ports = [{"name": "web", "containerPort": 8080}, {"name": "metrics", "containerPort": 9090}]
    app = {
        **container("app"),
        "ports": ports,
        "startupProbe": {"tcpSocket": {"port": 8080}, "failureThreshold": 30},
        "readinessProbe": {**http, "periodSeconds": 3, "timeoutSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/", "port": "metrics"}},
    }
    after, made = injected(pod(app), 8080)
    (changed,) = after["spec"]["containers"]
    assert changed["livenessProbe"] == app["livenessProbe"]
    instead = {"path": "/probe/app/readiness", "port": 15020, "scheme": "HTTP"}
    assert changed["readinessProbe"] == {"httpGet": instead, "periodSeconds": 3, "timeoutSeconds": 2}
    assert changed["startupProbe"] == {"httpGet": {**instead, "path": "/probe/app/startup"}, "failureThreshold": 30}
    said = option(command_of(after, PROXY), "--probes")
    assert "$$(b)" in said, "the kubelet puts no variable in its place"
    assert json.loads(said.replace("$$(", "$(")) == {
        "app/startup": {"port": 8080, "timeout": 1},
        "app/readiness": {"port": 8080, "timeout": 2, "path": "/healthz", "headers": [["X-A", "$(b)"]]},
    }
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("how", "asks"), [({"grpc": {"port": 8080}}, "gRPC"), ({"httpGet": {"port": 8080, "scheme": "HTTPS"}}, "HTTPS")]
)
def test_a_probe_that_nobody_can_ask_instead_is_named(how: dict[str, Any], asks: str) -> None:
    before = pod(container("app", 8080, livenessProbe=how))
    after, made = injected(before)
    assert after["spec"]["containers"] == before["spec"]["containers"]
    (warning,) = made.warnings
    assert f"livenessProbe of app asks port 8080 by {asks}" in warning


names = st.text("abcdefgh", min_size=1, max_size=8)
ports = st.lists(st.integers(1, 65_535), max_size=3)
probes = st.sampled_from(
    [{}, {"readinessProbe": {"httpGet": {"port": 8080}}}, {"livenessProbe": {"tcpSocket": {"port": 8080}}}]
)
made_containers = st.builds(
    lambda name, has, probe: container(name, *has, **copy.deepcopy(probe)), names, ports, probes
)
lists = st.lists(made_containers, max_size=3, unique_by=lambda one: one["name"])
maybe = st.one_of(st.none(), st.dictionaries(st.sampled_from(["a", "b/c", "d~e"]), names, max_size=2))


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    """With and without each part, empty parts included."""
    spec: dict[str, Any] = {"containers": draw(st.lists(made_containers, min_size=1, max_size=3, unique_by=str))}
    if draw(st.booleans()):
        spec["initContainers"] = draw(lists)
    if draw(st.booleans()):
        spec["volumes"] = [{"name": name, "emptyDir": {}} for name in draw(st.lists(names, max_size=2, unique=True))]
    metadata = {key: said for key in ("labels", "annotations") if (said := draw(maybe)) is not None}
    return {"metadata": metadata, "spec": spec}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pods(), st.one_of(st.none(), st.just(8080)))
def test_any_pod_gets_one_proxy_once_and_keeps_what_it_had(before: dict[str, Any], port: int | None) -> None:
    after, _ = injected(before, port)
    again, made = injected(after, port)
    assert (again, made) == (after, Injection()), "twice is once"
    assert kubernetes_fields.mistakes({**after, "apiVersion": "v1", "kind": "Pod"}) == []
    first, second, *others = after["spec"]["initContainers"]
    assert (first["name"], second["name"]) == (INTERCEPT, PROXY)
    assert [one["name"] for one in others] == [one["name"] for one in before["spec"].get("initContainers", [])]
    assert after["spec"]["volumes"][:-2] == before["spec"].get("volumes", [])
    for part in ("labels", "annotations"):
        assert before["metadata"].get(part, {}).items() <= after["metadata"][part].items()
    for was, now in zip(before["spec"]["containers"], after["spec"]["containers"], strict=True):
        probed = {key for key in was if key.endswith("Probe")}
        assert {key: now[key] for key in now if key not in probed} == {k: was[k] for k in was if k not in probed}
        assert all((now[key] != was[key]) == (port == 8080) or port is None for key in probed)
