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
        ('{"@mt": "stock {Sku} read", "Sku": "x-1"}', "INFO stock Sku read"),
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


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ('{"level": "error", "msg": "away"}', "ERROR"),
        ('{"level": 50, "msg": "away"}', "ERROR"),
        ('{"level": 35, "msg": "away"}', "INFO"),
        ('{"level": 3, "msg": "away"}', ""),
        ('{"@l": "Warning", "@mt": "away"}', "WARNING"),
        ('{"severity": "error", "message": "away", "stack": "java.lang.Ill', "ERROR"),
        ('{"level": 50, "message": "away", "stack": "java.lang.Ill', "ERROR"),
        ('{"msg": "away"}', ""),
        ("level=error away", ""),
    ],
)
def test_the_level_of_a_structured_line_counts_where_there_is_no_other(body: str, level: str) -> None:
    assert words("", body)[0] == level
    assert words("WARN", body)[0] == "WARN"


def test_a_line_is_bounded() -> None:
    assert len(words("INFO", "word " * 10_000)) == MOST_WORDS + 1
    nested = "[" * 100_000
    assert words("INFO", '{"a": ' + nested)[0] == "INFO"
    assert words("INFO", json.dumps({"message": "a b"}) * 2) == ("INFO", "a", "b")
