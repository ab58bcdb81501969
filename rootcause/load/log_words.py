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
_MESSAGES = ("message", "msg", "@message", "@m", "event", "log", "body", "text", "short_message")
"""Where loggers of most languages put what they say, the usual ones first."""
_LEVELS = ("severity", "level", "levelname", "loglevel", "log.level", "@l", "lvl")
_CUT_MESSAGE = re.compile(r'"(?:message|msg|@message|@m)"\s*:\s*"((?:[^"\\]|\\.)*)')
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
    except (ValueError, RecursionError):  # also of one that was cut off
        begun = _CUT_MESSAGE.search(body)
        return "", _first_line(_unescaped(begun[1]) if begun else body)
    level, message = _text(found, _LEVELS), _text(found, _MESSAGES)
    return level.upper(), _first_line(message or body)


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def _text(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((found[name] for name in names if isinstance(found.get(name), str) and found[name].strip()), "")


def _first_line(text: str) -> str:
    first, _, rest = text.strip().partition("\n")
    if first.startswith(_TRACEBACK):
        return next((line for line in reversed(rest.splitlines()) if line and not line[0].isspace()), first)
    return first
