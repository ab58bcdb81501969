"""`whymesh why` against a server that answers as the root-cause engine does: what is printed, what is returned."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.why import command
from rootcause.finding import (
    Change,
    Contribution,
    Culprit,
    Evidence,
    Figures,
    Finding,
    Ranked,
    RuledOut,
    Symptom,
    Windows,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FINDING = Finding(
    id="a1",
    state="open",
    opened_at=NOW,
    updated_at=NOW,
    title="payments v2 is slow: front [/checkout] 90 ms -> 330 ms",
    symptom=Symptom(service="front", route="/checkout", signal="latency", baseline=90, observed=330, unit="ms"),
    culprit=Culprit(service="payments", version="v2", instance="payments-3"),
    confidence=0.93,
    contribution=Contribution(value=240, unit="ms", share=1.0),
    ranking=(
        Ranked(
            service="payments",
            score=0.9,
            own_time_ms=Figures(baseline=12, observed=250),
            own_errors=None,
            link_ms=None,
            why="own time 12 ms -> 250 ms",
        ),
    ),
    ruled_out=(RuledOut(service="shipping", why="its own time is as usual"),),
    exemplars=("0af7651916cd43dd8448eb211c80319c",),
    counter_exemplars=(),
    change=Change(time=NOW, kind="rollout", service="payments", summary="payments now serves v1, v2"),
    evidence=(Evidence(statement="v2 is affected, v1 beside it is not", sql="SELECT 1"),),
    windows=Windows(baseline=(NOW, NOW), incident=(NOW, NOW)),
)
DEGRADED = {
    "state": "degraded",
    "summary": "payments did it",
    "finding": FINDING.model_dump(mode="json"),
    "checked": {},
}


@contextmanager
def engine(answer: dict[str, Any]) -> Iterator[str]:
    """A server with one answer on /v1/why."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200 if self.path == "/v1/why" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("state", "code"), [("nothing_wrong", 0), ("not_enough_data", 3), ("a state of the future", 3)]
)
def test_without_a_finding_the_summary_and_the_state_are_the_answer(state: str, code: int) -> None:
    with engine({"state": state, "summary": "1,204 requests, all as usual", "finding": None, "checked": {}}) as url:
        ran = CliRunner().invoke(command, ["--url", url])
    assert (ran.output, ran.exit_code) == ("1,204 requests, all as usual\n", code)


def test_a_finding_is_told_with_culprit_change_and_proof_and_is_exit_code_1() -> None:
    with engine(DEGRADED) as url:
        ran = CliRunner().invoke(command, ["--url", url])
    assert ran.exit_code == 1
    for part in (FINDING.title, "service payments, version v2, instance payments-3", "confidence 93%",
                 "payments now serves v1, v2", "own time 12 ms -> 250 ms", "shipping: its own time is as usual",
                 "v2 is affected, v1 beside it is not", FINDING.exemplars[0]):  # fmt: skip
        assert part in ran.output


def test_json_is_the_answer_of_the_engine() -> None:
    with engine(DEGRADED) as url:
        ran = CliRunner().invoke(command, ["--url", url + "/", "--json"])
    assert ran.exit_code == 1
    assert json.loads(ran.output) == DEGRADED
