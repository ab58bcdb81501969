"""Log lines become patterns, and patterns become steps that a request takes."""

from __future__ import annotations

from dataclasses import replace

from rootcause.judge.diagnose import diagnose
from rootcause.load.from_spans import window_of
from rootcause.load.log_patterns import Log, said
from rootcause.load.spans import Kind
from tests.rootcause.windows import FAULT_AT, NORMAL, QUESTION, START
from tests.world.mesh_sim import Shop


def line(body: str, span: str = "s", severity: str = "INFO", service: str = "cart") -> Log:
    return Log(0.0, service, severity, span, body)


def patterns(*lines: Log) -> list[str]:
    return sorted({pattern for found in said(lines)[0].values() for pattern in found})


def test_what_varies_is_taken_out() -> None:
    one = line("added 3 of item-77 for 10.2.3.4 at 12:04:11.120")
    other = line("added 12 of item-9 for 10.9.9.9 at 23:00:00.001")
    assert patterns(one, other) == ['log "INFO added of for at"']
    assert patterns(line("user anna came in today"), line("user bert came in today")) == [
        'log "INFO user * came in today"'
    ]


def test_lists_of_any_length_begin_alike() -> None:
    short, long = line("prices of routes: north, south"), line("prices of routes: east, west, middle, far")
    assert patterns(short, long) == ['log "INFO prices of routes"']


def test_different_things_stay_apart() -> None:
    assert len(patterns(line("stock found"), line("order refused by bank"), line("stock found", severity="WARN"))) == 3
    assert len(patterns(line("stock found"), line("stock found", service="catalog"))) == 1, "said in one span here"
    by_span = said([line("stock found", "a"), line("nothing there", "b"), line("nowhere", "")])[0]
    assert by_span == {"a": {'log "INFO stock found"': 1}, "b": {'log "INFO nothing there"': 1}}


def test_windows_share_their_patterns() -> None:
    usual, now = said([line("read 1 from disk fast")], [line("read 2 from disk slow")])
    assert usual == now == {"s": {'log "INFO read from disk *"': 1}}


def test_a_window_without_lines_is_not_one_in_which_nothing_was_said() -> None:
    assert said([line("read")], [line("read", span="")]) == [{}, {}]


def test_scripts_without_spaces_are_words_too() -> None:
    assert patterns(line("用户张三登录失败"), line("用户李四登录失败")) == ['log "INFO 用户* *登录失败"']


def test_a_service_that_says_something_new_each_time_is_bounded() -> None:
    def word(number: int) -> str:
        return "".join(chr(97 + int(digit)) for digit in str(number))

    lines = [line(f"{word(n)} {word(n * 7)} {word(n * 13)}", span=str(n)) for n in range(1_000, 5_000)]
    assert len(patterns(*lines)) <= 500


def test_how_often_something_is_said_is_counted() -> None:
    told = said([line("read 1 rows", "a"), line("read 2 rows", "a"), line("read 3 rows", "b")])[0]
    assert {span: dict(often) for span, often in told.items()} == {
        "a": {'log "INFO read rows"': 2},
        "b": {'log "INFO read rows"': 1},
    }


def test_a_swallowed_exception_is_seen_in_what_is_no_longer_said() -> None:
    """Inventory answers as fast and as well as before, but says something else."""
    spans = [one.span for one in Shop(5, rate=15.0).run(START, QUESTION.end - START)]
    lines = [
        line(
            "stock not read, using zero" if span.start_ns / 1e9 >= FAULT_AT else "stock read",
            span.id,
            service="inventory",
        )
        for span in spans
        if span.service == "inventory" and span.kind is Kind.SERVER
    ]
    normal = [log for log in lines if log.body == "stock read"]
    strange = [log for log in lines if log.body != "stock read"]
    usual, now = said(normal, strange)
    found = diagnose(window_of(spans, [NORMAL], usual), window_of(spans, [QUESTION], now))
    assert [suspect.service for suspect in found.suspects] == ["inventory"]
    steps = found.suspects[0].steps
    assert steps is not None
    assert steps.name in ('log "INFO stock read"', 'log "INFO stock not read using zero"')

    same = [replace(log, body="stock read") for log in strange]
    usual, now = said(normal, same)
    quiet = diagnose(window_of(spans, [NORMAL], usual), window_of(spans, [QUESTION], now))
    assert quiet.state == "nothing_wrong"
