"""SQL as ClickHouse itself writes it: no comments, one spelling for each name, one kind of quotes.

The engine's own parser makes that form, so what is decided on it cannot be dodged by another way of writing.
"""

import re
from collections.abc import Iterator
from typing import Final

from collector.store.engine import Session
from collector.store.errors import QueryFailed, query_failed

_TOKEN: Final = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.)*')|(?P<quoted>`(?:[^`\\]|\\.)*`)|(?P<word>\w+)|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
_ABOUT_OURS: Final = re.compile(r":?\s*In scope SELECT formatQuerySingleLine\(.*\)\.(?= \(\w+\)\Z)", re.DOTALL)
# Both on a form whose strings and quoted names are blanked to x.
_FORMAT: Final = re.compile(r" FORMAT (\w+)(?= SETTINGS |\Z)")
_OUTFILE: Final = re.compile(r" INTO OUTFILE x+(?: (?!FORMAT|SETTINGS)\w+)*")


def canonical(session: Session, sql: str) -> str:
    """`sql` in the engine's own writing, on one line. Raises QueryFailed (62) when it cannot be parsed."""
    parameter = sql.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    try:
        chunk = session.run("SELECT formatQuerySingleLine({sql:String})", "TabSeparatedRaw", {"sql": parameter})
    except QueryFailed as error:
        # Our own query, in which the engine repeats theirs, is none of the client's business.
        message = _ABOUT_OURS.sub("", error.message)
        raise query_failed(error.code, message) from None
    return chunk.data.decode().removesuffix("\n")


def called_names(form: str) -> Iterator[str]:
    """Names of functions in canonical SQL, in lower case: words before `(`, and words after APPLY."""
    before = ""
    for match in _TOKEN.finditer(form):
        if match["space"]:
            continue
        if match[0] == "(" and before:
            yield before.lower()
        is_name = match["word"] or match["quoted"]
        if is_name and before == "APPLY":
            yield plain(match[0]).lower()
        before = plain(match[0]) if is_name else ""


def split_format(form: str) -> tuple[str, str | None]:
    """Canonical SQL without its FORMAT clause, and the format."""
    found = _FORMAT.search(_blanked(form))
    if found is None:
        return form, None
    return form[: found.start()] + form[found.end() :], found[1]


def without_outfile(form: str) -> str:
    """Canonical SQL without its INTO OUTFILE clause."""
    found = _OUTFILE.search(_blanked(form))
    return form if found is None else form[: found.start()] + form[found.end() :]


def plain(name: str) -> str:
    """A name without its quotes."""
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith("`") else name


def _blanked(form: str) -> str:
    return "".join(
        "x" * len(match[0]) if match["string"] or match["quoted"] else match[0] for match in _TOKEN.finditer(form)
    )
