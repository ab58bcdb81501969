"""`whymesh why` against a server that answers as the root-cause engine does: what is printed, what is returned."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.why import command
from rootcause.explain.finding import (
    Contribution,
    Culprit,
    Evidence,
    Figures,
    Finding,
    Gap,
    OnPath,
    Ranked,
    RuledOut,
    Symptom,
    Windows,
)
from rootcause.explain.trace_story import tell
from rootcause.load.changes import Change
from rootcause.load.spans import Kind
from tests.rootcause.explain.test_trace_story import traced
from tests.world.processes import WHYMESH

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
FINDING = Finding(
    id="a1",
    state="open",
    opened_at=NOW,
    updated_at=NOW,
    title="payments v2 is slow: front [/checkout] 90 ms -> 330 ms",
    symptom=Symptom(service="front", route="/checkout", signal="latency", baseline=90, observed=330, unit="ms"),
    culprit=Culprit(service="payments", version="v2", instance="payments-3", zone="b"),
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
    path=(OnPath(where="payments", baseline_ms=12, observed_ms=250, added_ms=238, beside_ms=40),),
    gaps=(Gap(service="cart", captured=0.5, statement="only 50 % of what the proxies of cart counted has spans"),),
    evidence=(Evidence(statement="v2 is affected, v1 beside it is not", sql="SELECT 1"),),
    windows=Windows(baseline=(NOW, NOW), incident=(NOW, NOW)),
)
DEGRADED: dict[str, Any] = {
    "state": "degraded",
    "summary": "payments did it",
    "finding": FINDING.model_dump(mode="json"),
    "checked": {},
}


@contextmanager
def engine(answer: dict[str, Any], path: str = "/v1/why", status: int = 200) -> Iterator[str]:
    """A server with one answer on one path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status if self.path == path else 404)
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


@contextmanager
def terminal(columns: int) -> Iterator[tuple[Callable[[], list[str]], int]]:
    """What was shown on a terminal so wide, without its colours; and the end to write to."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def shown() -> list[str]:
        text = os.read(ours, 65_536).decode()
        return re.sub(r"\x1b\[[0-9;]*m", "", text).split("\r\n")

    try:
        yield shown, theirs
    finally:
        os.close(ours)
        os.close(theirs)


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
    for part in (FINDING.title, "payments v2, instance payments-3", "confidence 93 %",
                 "payments now serves v1, v2", "+240 ms a request to front /checkout, 100 % of what was added",
                 "why a1 --sql",
                 "shipping: its own time is as usual", "payments: 12 ms -> 250 ms (+238 ms), 40 ms beside it",
                 "only 50 % of what the proxies of cart counted has spans",
                 "v2 is affected, v1 beside it is not", FINDING.exemplars[0]):  # fmt: skip
        assert part in ran.output


def test_what_may_be_old_is_told_so_first() -> None:
    blind = "nothing is known since 2026-05-04 12:00:00 UTC: the store does not answer"
    with engine({**DEGRADED, "blind": blind}) as url:
        ran = CliRunner().invoke(command, ["--url", url])
    assert ran.output.startswith(f"{blind}; what follows is from before\n\n{FINDING.title}")


def test_every_open_incident_is_told_and_how_long_one_lasted() -> None:
    other = {**DEGRADED["finding"], "id": "b2", "title": "cart is slow"}
    with engine({**DEGRADED, "also": [other]}) as url:
        ran = CliRunner().invoke(command, ["--url", url])
    assert "also open since 2026-05-04 12:00:00 UTC: cart is slow\n  whymesh why b2" in ran.output
    assert ran.output.splitlines()[1] == "(one of 2 open incidents; the others are below)"
    over = {**DEGRADED["finding"], "state": "resolved", "resolved_at": "2026-05-04T14:05:09Z"}
    with engine({"incidents": [over]}, "/v1/incidents") as url:
        ran = CliRunner().invoke(command, ["--url", url, "last"])
    assert ran.exit_code == 0
    assert "12:00:00 UTC, resolved 2026-05-04 14:05:09 UTC, after 2 h 5 min" in ran.output


def test_one_that_came_back_is_told_since_it_did() -> None:
    back = {**DEGRADED["finding"], "state": "resolved", "reopened": 1, "reopened_at": "2026-05-04T13:00:00Z"}
    with engine({"incidents": [{**back, "resolved_at": "2026-05-04T13:10:00Z"}]}, "/v1/incidents") as url:
        ran = CliRunner().invoke(command, ["--url", url, "last"])
    assert "since       2026-05-04 13:00:00 UTC, resolved 2026-05-04 13:10:00 UTC, after 10 min" in ran.output
    assert "came back   once, opened first 2026-05-04 12:00:00 UTC" in ran.output


def test_on_a_narrow_terminal_every_line_fits_and_goes_on_under_its_beginning() -> None:
    long = {**DEGRADED["finding"], "title": "recommendations v17 " + "is slow " * 20}
    long["evidence"] = [{"statement": "front /checkout: " + "a long story " * 12, "sql": "SELECT 1"}]
    with engine({**DEGRADED, "finding": long}) as url, terminal(80) as (shown, their_end):
        ran = subprocess.run(
            [WHYMESH, "why", "--url", url], stdout=their_end, stderr=their_end, check=False, timeout=60
        )
        lines = shown()
    assert ran.returncode == 1
    assert max(map(len, lines)) <= 80
    (first,) = (number for number, line in enumerate(lines) if line.startswith("  front /checkout"))
    assert lines[first + 1].startswith("    a long") or lines[first + 1].startswith("    story")
    assert "culprit     payments v2, instance payments-3, in zone b  (confidence 93 %)" in lines


def test_the_sql_behind_each_statement_can_be_pasted() -> None:
    with engine(DEGRADED) as url:
        ran = CliRunner().invoke(command, ["--url", url, "--sql"])
    assert (ran.exit_code, ran.output) == (1, "-- v2 is affected, v1 beside it is not\nSELECT 1;\n\n")


def test_json_is_the_answer_of_the_engine() -> None:
    with engine(DEGRADED) as url:
        ran = CliRunner().invoke(command, ["--url", url + "/", "--json"])
    assert ran.exit_code == 1
    assert json.loads(ran.output) == DEGRADED


@pytest.mark.parametrize(
    ("what", "path", "answer"),
    [
        ("last", "/v1/incidents", {"incidents": [DEGRADED["finding"]]}),
        ("payments", "/v1/incidents?service=payments", {"incidents": [DEGRADED["finding"]]}),
        ("4f1c09a2b3de", "/v1/incidents/4f1c09a2b3de", DEGRADED["finding"]),
    ],
)
def test_an_incident_is_found_by_its_id_its_service_or_as_the_last(what: str, path: str, answer: Any) -> None:
    with engine(answer, path) as url:
        ran = CliRunner().invoke(command, ["--url", url, what])
    assert ran.exit_code == 1, ran.output
    assert FINDING.title in ran.output
    assert "since       2026-05-04 12:00:00 UTC, open for " in ran.output
    assert "owner       nobody yet: whymesh ack a1" in ran.output


def test_a_service_that_caused_nothing_is_no_error() -> None:
    with engine({"incidents": []}, "/v1/incidents?service=cart") as url:
        ran = CliRunner().invoke(command, ["--url", url, "cart"])
    assert (ran.exit_code, ran.output) == (
        0,
        "whymesh why: cart has caused no incident, and is the id of no alarm and no request that is stored;"
        " `whymesh why` says what is wrong now\n",
    )


TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("what", "asked"),
    [(TRACE, TRACE), (TRACE.upper(), TRACE.upper()), (f"00-{TRACE}-b7ad6b7169203331-01", TRACE)],
)
def test_a_trace_is_told_hop_by_hop(what: str, asked: str) -> None:
    spans = [
        traced("1", "", "front", Kind.SERVER, 0, 40, status="503", failed=True),
        traced("2", "1", "front", Kind.CLIENT, 2, 36, peer="payments", failed=True, reason="connect_refused"),
    ]
    with engine(tell(spans).model_dump(mode="json"), f"/v1/traces/{asked}") as url:
        ran = CliRunner().invoke(command, ["--url", url, what])
    assert ran.exit_code == 1, ran.output
    assert "front [op] answered 503 after 40 ms: the call from front to payments ended in connect_refused" in ran.output
    assert "  front -> payments [op connect_refused]  <- began here" in ran.output
    assert "front -> payments: 36 ms (90 %)" in ran.output


def test_what_the_engine_does_not_know_is_its_sentence_and_exit_code_3() -> None:
    with engine({"error": "no span of it"}, f"/v1/traces/{TRACE}", status=404) as url:
        ran = CliRunner().invoke(command, ["--url", url, TRACE])
    assert (ran.exit_code, ran.output) == (3, "whymesh why: no span of it\n")
