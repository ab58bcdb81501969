"""Tokens of requests: each way to be unsound has a reason of its own, and what a sound one says counts."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from proxy.snapshot.authentication import Issuer, Tokens
from proxy.snapshot.authorization import AccessPolicy, AccessRule, Authorization, ClaimMatch
from tests.proxy.engine.conftest import Pair
from tests.world.otlp_sink import OtlpSink
from tests.world.tokens import SigningKey, key_set

ISSUER = "https://id.example.com/"
KEY = SigningKey.make("ES256")
OTHER = SigningKey.make("ES256")


def claims(**more: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "aud": ["shop", "x"], "sub": "ann", "exp": time.time() + 600, **more}


async def authenticate(
    pair: Pair, *keys: SigningKey, required: bool = False, rules: tuple[AccessRule, ...] = (), **more: Any
) -> None:
    """Has the proxy of `back` accept tokens that these keys sign."""
    issuer = Issuer(issuer=ISSUER, audiences=("shop",), jwks=key_set(*(keys or (KEY,))), **more)
    policies = (AccessPolicy(name="back", rules=rules),) if rules else ()
    tokens = Tokens(required=required, issuers=(issuer,))
    await pair.back.change(authorization=Authorization(service="back", ports=(80,), policies=policies, tokens=tokens))


async def ask(pair: Pair, token: str | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
    sent = headers | ({"Authorization": f"Bearer {token}"} if token is not None else {})
    async with pair.call("/x", headers=sent) as response:
        return response.status, dict(response.headers), await response.text()


UNSOUND: dict[str, Any] = {
    "token_malformed": lambda: "not.a.token",
    "token_expired": lambda: KEY.token(claims(exp=time.time() - 61)),
    "token_too_early": lambda: KEY.token(claims(nbf=time.time() + 90)),
    "token_bad_signature": lambda: OTHER.token(claims()),
    "token_unknown_key": lambda: KEY.token(claims(), kid="b"),
    "token_wrong_issuer": lambda: KEY.token(claims(iss="https://elsewhere.example.com/")),
    "token_wrong_audience": lambda: KEY.token(claims(aud="bank")),
}


@pytest.mark.parametrize("code", ["token_missing", *UNSOUND])
async def test_each_way_to_be_unsound_has_a_reason(pair: Pair, sink: OtlpSink, code: str) -> None:
    await authenticate(pair, required=code == "token_missing")
    token = None if code == "token_missing" else UNSOUND[code]()
    status, headers, text = await ask(pair, token)
    assert (status, headers["mesh-reason"]) == (401, code)
    assert headers["WWW-Authenticate"].startswith("Bearer")
    (span,) = await sink.wait(1, "back")
    assert (span["mesh.reason"], span["http.response.status_code"]) == (code, 401)
    if token:
        told = json.dumps([span.attributes, headers, text])
        assert not any(part in told for part in token.split(".") if len(part) > 8), "a token is shown to nobody"
    assert pair.back.stats()["refused"][code] == 1


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_a_sound_token_passes_and_its_time_is_looked_at_again(pair: Pair, alg: str) -> None:
    key = SigningKey.make(alg)
    await authenticate(pair, key, required=True)
    token = key.token(claims(nbf=time.time() - 1))
    assert [(await ask(pair, token))[0] for _ in range(3)] == [200] * 3
    brief = key.token(claims(exp=time.time() - 58))
    assert (await ask(pair, brief))[0] == 200, "clocks may differ by a minute"
    await authenticate(pair, key, required=True, leeway_s=0)
    assert (await ask(pair, brief))[1]["mesh-reason"] == "token_expired"


async def test_a_token_without_an_end_or_with_a_twin_is_refused(pair: Pair) -> None:
    await authenticate(pair)
    endless = claims()
    del endless["exp"]
    assert (await ask(pair, KEY.token(endless)))[1]["mesh-reason"] == "token_expired"
    sound = f"Bearer {KEY.token(claims())}"
    async with pair.call("/x", headers=[("Authorization", sound), ("Authorization", sound)]) as response:
        assert response.headers["mesh-reason"] == "token_malformed"
    for forged in ("none", "HS256", "RS256"):
        status, headers, _ = await ask(pair, KEY.token(claims(), alg=forged))
        assert (status, headers["mesh-reason"]) in {(401, "token_malformed"), (401, "token_unknown_key")}, forged


async def test_what_a_token_says_counts_for_policies(pair: Pair, sink: OtlpSink) -> None:
    staff = AccessRule(name="back/staff", claims=(ClaimMatch(name="realm.roles", values=("staff", "adm*")),))
    await authenticate(pair, rules=(staff,))
    assert (await ask(pair, KEY.token(claims(realm={"roles": ["x", "admin"]}))))[0] == 200
    assert (await ask(pair, KEY.token(claims(realm={"roles": ["guest"]}))))[1]["mesh-reason"] == "not_allowed"
    assert (await ask(pair))[1]["mesh-reason"] == "not_allowed"
    _, guest, nobody = await sink.wait(3, "back")
    assert guest["mesh.policy.missed"] == "claim realm.roles is not staff or adm*"
    assert nobody["mesh.policy.missed"] == "no token: claim realm.roles is not staff or adm*"


async def test_the_application_is_told_claims_and_nobody_else_says_them(pair: Pair) -> None:
    await authenticate(pair, claim_headers=(("x-user", "sub"), ("x-age", "age")), forward=False)
    _, _, text = await ask(pair, KEY.token(claims(age=7)), **{"X-User": "root"})
    headers = json.loads(text)["headers"]
    assert (headers["x-user"], headers["x-age"]) == ("ann", "7")
    assert "authorization" not in headers
    _, _, text = await ask(pair, **{"X-User": "root"})
    assert "x-user" not in json.loads(text)["headers"]


async def test_keys_that_change_take_effect_and_other_schemes_pass(pair: Pair) -> None:
    await authenticate(pair)
    old = KEY.token(claims())
    assert (await ask(pair, old))[0] == 200
    await authenticate(pair, SigningKey.make("ES256", "b"))
    assert (await ask(pair, old))[1]["mesh-reason"] == "token_unknown_key"
    async with pair.call("/x", headers={"Authorization": "Basic eDp5"}) as response:
        assert response.status == 200


async def test_a_token_may_come_in_a_header_of_its_own(pair: Pair) -> None:
    await authenticate(pair, header="x-token", required=True)
    assert (await ask(pair, **{"X-Token": KEY.token(claims())}))[0] == 200
    assert (await ask(pair, KEY.token(claims())))[1]["mesh-reason"] == "token_missing"
