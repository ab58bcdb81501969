"""Who may change the configuration, and what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.control.api.operator import kept_key
from tests.proxy.control.api.test_config import CART, FRONT
from tests.world.controls import Control, control

WHERE = "/v1/config/Service/default/cart"
ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}
"""What makes a request of this machine one of another: a proxy here passed it on."""


async def _token(plane: Control, name: str = "deploy") -> dict[str, str]:
    status, made = await plane.ask("POST", "/v1/tokens", {"name": name})
    assert status == 200
    return {"Authorization": f"Bearer {made['token']}", **ELSEWHERE}


async def test_from_elsewhere_a_token_is_needed() -> None:
    async with control(FRONT) as plane:
        status, refused = await plane.ask("PUT", WHERE, CART, headers=ELSEWHERE)
        assert (status, "takes a token" in refused["error"]) == (401, True)
        shown = await _token(plane)
        assert (await plane.ask("PUT", WHERE, CART, headers=shown))[0] == 200
        assert (await plane.ask("GET", "/v1/history"))[1]["epochs"][0]["actor"] == "token deploy"
        assert (await plane.ask("DELETE", "/v1/tokens/deploy"))[0] == 204
        assert (await plane.ask("DELETE", WHERE, headers=shown))[0] == 401
        assert (await plane.ask("DELETE", "/v1/tokens/deploy"))[0] == 404


@pytest.mark.parametrize("path", ["/v1/config", WHERE, "/v1/history", "/v1/history/1", "/v1/tokens"])
async def test_from_elsewhere_nothing_can_be_read_without_one(path: str) -> None:
    async with control(FRONT, CART) as plane:
        assert (await plane.ask("GET", path))[0] == 200
        assert (await plane.ask("GET", path, headers=ELSEWHERE))[0] == 401
        assert (await plane.ask("GET", path, headers={"Host": "rebound.example"}))[0] == 401


async def test_from_elsewhere_nobody_finds_out_what_would_be_allowed() -> None:
    question = {"to": "cart"}
    async with control(FRONT, CART) as plane:
        assert (await plane.ask("POST", "/v1/policies/check", question))[1]["allowed"]
        assert (await plane.ask("POST", "/v1/policies/check", question, headers=ELSEWHERE))[0] == 401
        shown = await _token(plane)
        assert (await plane.ask("POST", "/v1/policies/check", question, headers=shown))[0] == 200


async def test_a_wrong_token_is_worth_less_than_none() -> None:
    async with control(FRONT) as plane:
        for wrong in ("Bearer whymesh_x", "Bearer ", "Basic YTpi", "Bearer \xe4"):
            assert (await plane.ask("PUT", WHERE, CART, headers={"Authorization": wrong}))[0] == 401


async def test_a_token_makes_no_tokens_and_is_kept_as_a_hash_only() -> None:
    async with control(FRONT) as plane:
        shown = await _token(plane)
        assert (await plane.ask("POST", "/v1/tokens", {"name": "more"}, headers=shown))[0] == 401
        assert (await plane.ask("POST", "/v1/tokens", {"name": "A b"}))[0] == 400
        (kept,) = plane.in_force.state.sql.execute("SELECT * FROM tokens").fetchall()
        assert shown["Authorization"].removeprefix("Bearer ") not in str([str(value) for value in kept])
        assert (await plane.ask("GET", "/v1/tokens"))[1]["tokens"][0]["name"] == "deploy"


async def test_who_says_who_they_are_is_in_the_history() -> None:
    async with control(FRONT) as plane:
        await plane.ask("PUT", WHERE, CART, headers={"Mesh-Actor": "alice"})
        await plane.ask("DELETE", WHERE, headers={"Mesh-Actor": "<script>"})
        history = (await plane.ask("GET", "/v1/history"))[1]["epochs"]
        assert [one["actor"] for one in history] == ["somebody on this machine", "alice", "file mesh.yaml"]


async def test_the_form_of_a_web_page_is_no_change() -> None:
    async with (
        control(FRONT) as plane,
        plane.session.post(
            f"{plane.url}/v1/config", data=b'{"apply": []}', headers={"Content-Type": "text/plain"}
        ) as it,
    ):
        assert it.status == 415


async def test_where_there_is_an_operator_being_here_is_not_enough() -> None:
    async with control(FRONT, operator="key") as plane:
        status, refused = await plane.ask("PUT", WHERE, CART)
        assert (status, "on this machine, too" in refused["error"]) == (401, True)
        for path in ("/v1/config", "/v1/history", "/v1/tokens"):
            assert (await plane.ask("GET", path))[0] == 401
            assert (await plane.ask("GET", path, headers={"Authorization": "Bearer \xe4"}))[0] == 401
        assert (await plane.ask("GET", "/v1/status"))[0] == 200
        plane.headers = {"Authorization": "Bearer key", "Mesh-Actor": "ann"}
        assert (await plane.ask("PUT", WHERE, CART))[0] == 200
        assert (await plane.ask("GET", "/v1/history"))[1]["epochs"][0]["actor"] == "ann"
        plane.headers = await _token(plane)
        assert (await plane.ask("DELETE", WHERE))[0] == 200
        assert (await plane.ask("GET", "/v1/tokens", headers={"X-Forwarded-For": ""}))[0] == 401


def test_the_key_of_an_operator_stays_and_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "operator.key"
    made = kept_key(path)
    assert (kept_key(path), path.read_text().strip(), path.stat().st_mode & 0o777) == (made, made, 0o600)
    path.write_text("something else")
    assert kept_key(path) not in (made, "something else")
