"""What of a log line counts, whatever logger and language it comes from."""

from __future__ import annotations

import json

import pytest

from rootcause.load.log_words import MOST_WORDS, words, written


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("stock read in 3 ms", "INFO stock read in ms"),
        ('{"ts": "12:03", "msg": "stock read in 3 ms", "sku": "x-1"}', "INFO stock read in ms"),
        ('{"level": "warn", "message": "bank is away\\n  at pay()"}', "INFO bank is away"),
        ('{"event": "stock read", "logger": "shop.stock"}', "INFO stock read"),
        ('{"message": {"code": 7}, "text": "stock read"}', "INFO stock read"),
        ('{"message": "bank \\"north\\" is away", "stack": "java.lang.Ill', "INFO bank north is away"),
        ('{"of": "no", "such": "field"}', "INFO of no such field"),
        ("{not json} at all", "INFO not json at all"),
        ("[1, 2]", "INFO"),
        ("\n  java.io.IOException: broken pipe\n\tat a.b.C(C.java:12)\n", "INFO java.io.IOException broken pipe"),
        ("Traceback (most recent call last):\n  File 'a.py', line 3\nKeyError: sku\n", "INFO KeyError sku"),
        ("Traceback (most recent call last):\n  File 'a.py'", "INFO Traceback most recent call last"),
        ("Bestellung für Jürgen gelöscht", "INFO Bestellung für Jürgen gelöscht"),
        ("用户123登录失败。密码错误", "INFO 用户登录失败密码错误"),
        ("注文 A-17 を受け付けました。", "INFO 注文を受け付けました"),
        ("", "INFO"),
    ],
)
def test_what_a_line_says(body: str, expected: str) -> None:
    assert written(list(words("INFO", body))) == expected


def test_the_level_of_a_structured_line_counts_where_there_is_no_other() -> None:
    body = '{"level": "error", "msg": "bank is away"}'
    assert words("", body)[0] == "ERROR"
    assert words("WARN", body)[0] == "WARN"


def test_a_line_is_bounded() -> None:
    assert len(words("INFO", "word " * 10_000)) == MOST_WORDS + 1
    nested = "[" * 100_000
    assert words("INFO", '{"a": ' + nested)[0] == "INFO"
    assert words("INFO", json.dumps({"message": "a b"}) * 2) == ("INFO", "a", "b")
