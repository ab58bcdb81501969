"""Ports that are taken are told before anything starts, in one sentence that says what to do."""

from __future__ import annotations

import os
import socket

import pytest

from deploy.local.ports import DEFAULTS, Ports, PortTaken, Wanted, check_free


def test_a_port_in_use_names_the_port_who_wants_it_who_has_it_and_the_option() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(PortTaken) as caught:
            check_free([Wanted(address, "the collector (OTLP/gRPC)")])
    message = str(caught.value)
    assert address in message
    assert "the collector (OTLP/gRPC)" in message
    assert f"pid {os.getpid()}" in message
    assert "--port-offset" in message


def test_free_ports_pass_and_stay_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    wanted = [Wanted(f"{address[0]}:{address[1]}", "anyone")]
    check_free(wanted)
    check_free(wanted)


def test_an_offset_beyond_the_last_port_is_told() -> None:
    with pytest.raises(PortTaken, match="port 69000, which does not exist: lower --port-offset"):
        check_free([Wanted(Ports(60_000).address("clickhouse_native"), "the collector")])


def test_the_offset_moves_every_port() -> None:
    for name, port in DEFAULTS.items():
        assert Ports(7).address(name) == f"127.0.0.1:{port + 7}"
    assert Ports(7).store == "clickhouse://127.0.0.1:9007/otel"
