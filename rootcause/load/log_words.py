"""Takes a log line apart into the words that may say the same as another line's.

In: the body of a line, as an application wrote it, and its severity. Out: severity and words, without those that have
a digit (figures, times, ids). Of a structured body (a JSON object) the message counts, of several lines the first: what
follows is a stack, or the data that it is about; of a Python traceback the last, which names the exception.
"""

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any

MOST_WORDS = 40
_MESSAGES = ("message", "msg", "@message", "@mt", "@m", "event", "log", "body", "text", "short_message")
"""Where loggers of most languages put what they say, the usual ones first."""
_LEVELS = ("severity", "level", "levelname", "loglevel", "log.level", "@l", "lvl")
_NUMBERED = ((10, "TRACE"), (20, "DEBUG"), (30, "INFO"), (40, "WARN"), (50, "ERROR"), (60, "FATAL"))
"""Levels as numbers, of Bunyan and Pino."""
_FIELD = re.compile(r'"([\w@.]+)"\s*:\s*(?:"((?:[^"\\]|\\.)*)|(\d+)\b)')
"""A field of a text or number, of an object that was cut off."""
_NO_SPACES = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han are written without spaces: each letter counts as a word."""
_BETWEEN = (
    r"\s,;=:\[\](){}<>\"'|\u00ab\u00bb\u2010-\u2027\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
_WORD = re.compile(rf"[{_NO_SPACES}]|[^{_BETWEEN}{_NO_SPACES}]+")
_TRACEBACK = "Traceback (most recent call last)"
_DIGIT = re.compile(r"\d")
_WITHIN = re.compile(rf"(?<=[{_NO_SPACES}]) (?=[{_NO_SPACES}*])|(?<=\*) (?=[{_NO_SPACES}])")

Words = tuple[str, ...]


def words(severity: str, body: str) -> Words:
    """The severity, and at most MOST_WORDS words of what the line says."""
    level, text = said_in(body)
    found = (word for word in _WORD.findall(text) if not _DIGIT.search(word))
    return (severity or level, *islice(found, MOST_WORDS))


def written(words: list[str]) -> str:
    """Words as one would write them."""
    return _WITHIN.sub("", " ".join(words))


def said_in(body: str) -> tuple[str, str]:
    """The level that a structured body names, and what it says; of any other body no level, and its first line."""
    body = body.lstrip()
    if body.startswith("{"):
        return _structured(body)
    return "", _first_line(body)


def _structured(body: str) -> tuple[str, str]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = _begun(body)
    return _level(found), _first_line(_text(found, _MESSAGES) or body)


def _begun(body: str) -> dict[str, Any]:
    """What is left of an object that was cut off."""
    found: dict[str, Any] = {}
    for name, text, number in _FIELD.findall(body):
        found.setdefault(name, int(number) if number else _unescaped(text))
    return found


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _level(found: Mapping[str, Any]) -> str:
    number = found.get("level")
    if isinstance(number, int):
        return next((name for least, name in reversed(_NUMBERED) if number >= least), "")
    return _text(found, _LEVELS).upper()


def _text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found[name] for name in names if isinstance(found.get(name), str) and found[name].strip()), "")


def _first_line(text: str) -> str:
    first, _, rest = text.strip().partition("\n")
    if first.startswith(_TRACEBACK):
        return next((line for line in reversed(rest.splitlines()) if line and not line[0].isspace()), first)
    return first
