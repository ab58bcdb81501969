"""Tells what a statement does before it runs, with ClickHouse's own parser, and refuses what a door never runs.

The engine says whether a text reads, writes or controls, and writes it out again in one canonical form
(no comments, one spelling per name, one kind of quotes). The rest is decided on that form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from collector.store.engine import Classified, Session
from collector.store.errors import ACCESS_DENIED, SYNTAX_ERROR, query_failed

# Functions that reach outside the store and need no grant for it: `file` reads any file as a value,
# `sqlite` creates its file before it asks, `python` looks at objects of this process, ai* call a
# remote service. (The other sources are refused by the engine: see config.py.)
FORBIDDEN: Final = frozenset({"file", "sqlite", "python", "executable", "executablepool", "cluster"})
_FORBIDDEN_AI: Final = re.compile(r"ai[a-z]+\Z")
_SUSPECT: Final = re.compile(
    rf"\\|\b(?:{'|'.join(sorted(FORBIDDEN))}|ai(?:generate|similarity|filter|embed|classify|extract|redact|translate)"
    r"|format)\b",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.)*')|(?P<quoted>`(?:[^`\\]|\\.)*`)|(?P<word>\w+)|(?P<space>\s+)|(?P<other>.)",
    re.DOTALL,
)
# Anything else behind the column list (FROM INFILE, a table function as target) does not match.
_INSERT: Final = re.compile(
    r"INSERT INTO (?:(?P<database>\w+|`[^`]+`)\.)?(?P<table>\w+|`[^`]+`)(?P<columns> \([^()]*\))?"
    r"(?: SETTINGS [^()]*?)?(?: FORMAT (?P<format>\w+)\Z| SELECT | WITH )"
)
_DATA_FOLLOWS: Final = re.compile(r"\A\s*INSERT\s.*(?:\bVALUES|\bFORMAT\s+\w+)\s*;?\s*\Z", re.IGNORECASE | re.DOTALL)
# On canonical SQL with its strings blanked to x.
_OUTFILE: Final = re.compile(r" INTO OUTFILE x+(?: (?!FORMAT|SETTINGS)\w+)*")
_USE: Final = re.compile(r"USE (?P<database>\w+|`[^`]+`)\Z")


class Kind(Enum):
    """What a door does with a statement."""

    READ = "read"
    INSERT = "insert"
    USE = "use"
    SET = "set"


@dataclass(frozen=True)
class Statement:
    """One statement, parsed: `text` to run (without FORMAT), the format it asked for, what it is about.

    `table` is the (database or "", table) an INSERT writes to, `columns` its column list as SQL or "";
    `awaits_data` says that the rows follow separately; `database` is what USE names.
    """

    kind: Kind
    text: str
    format: str | None = None
    table: tuple[str, str] = ("", "")
    columns: str = ""
    awaits_data: bool = False
    database: str = ""


def examine(session: Session, sql: str, *, native: bool = False) -> Statement:
    """Parses one statement. Raises QueryFailed when it cannot be parsed or may never run through a door.

    With `native`, INTO OUTFILE is left out: a native client writes that file itself, on its own machine.
    """
    classified = session.classify(sql)
    if classified.kind == "UNKNOWN":
        _say_why_unparsable(session, sql)
    if classified.statements != 1:
        raise query_failed(SYNTAX_ERROR, "Multi-statements are not allowed. (SYNTAX_ERROR)")
    if classified.kind == "READ_ONLY":
        return _reading(session, sql)
    form = canonical(session, sql)
    if native and (found := _OUTFILE.search(_strings_blanked(form))):
        return examine(session, form[: found.start()] + form[found.end() :])
    return _changing(sql, form, classified)


def _reading(session: Session, sql: str) -> Statement:
    if not _SUSPECT.search(sql):
        return Statement(Kind.READ, _bare(sql))
    form = canonical(session, sql)
    refuse_forbidden(form)
    text, asked = split_format(form)
    return Statement(Kind.READ, text if asked else _bare(sql), asked)


def _changing(sql: str, form: str, classified: Classified) -> Statement:
    refuse_forbidden(form)
    if found := _USE.match(form):
        return Statement(Kind.USE, form, database=_plain(found["database"]))
    if form.startswith("SET ") and not form.startswith(("SET ROLE", "SET DEFAULT")):
        return Statement(Kind.SET, form)
    found = _INSERT.match(form)
    if found is None or not classified.only_own_database:
        verb = "INTO OUTFILE" if " INTO OUTFILE " in form else form.split(maxsplit=1)[0]
        raise query_failed(ACCESS_DENIED, f"this store's doors do not run {verb} statements. (ACCESS_DENIED)")
    return Statement(
        Kind.INSERT,
        sql,
        table=(_plain(found["database"] or ""), _plain(found["table"])),
        columns=(found["columns"] or "").strip(),
        format=found["format"],
        awaits_data=found["format"] is not None and data_follows(sql),
    )


def data_follows(sql: str) -> bool:
    """Whether `sql` is an INSERT that ends where its rows would begin."""
    return _DATA_FOLLOWS.match(sql) is not None


def canonical(session: Session, sql: str) -> str:
    """`sql` as ClickHouse itself would write it, on one line. Raises QueryFailed (62) when it cannot be parsed."""
    parameter = sql.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    chunk = session.run("SELECT formatQuerySingleLine({sql:String})", "TabSeparatedRaw", {"sql": parameter})
    return chunk.data.decode().removesuffix("\n")


def refuse_forbidden(form: str) -> None:
    """Raises QueryFailed (497) when canonical SQL calls a function that reaches outside the store."""
    for name in called_names(form):
        if name in FORBIDDEN or _FORBIDDEN_AI.match(name):
            raise query_failed(
                ACCESS_DENIED,
                f"{name}() reaches outside this store; its doors read only its own tables. (ACCESS_DENIED)",
            )


def called_names(form: str) -> Iterator[str]:
    """Names of functions in canonical SQL, in lower case: words before `(`, and words after APPLY."""
    before = ""
    for match in _TOKEN.finditer(form):
        part = match[0]
        if match["space"]:
            continue
        if part == "(" and before:
            yield before.lower()
        is_name = match["word"] or match["quoted"]
        if is_name and before == "APPLY":
            yield _plain(part).lower()
        before = _plain(part) if is_name else ""


def split_format(form: str) -> tuple[str, str | None]:
    """Canonical SQL without its FORMAT clause, and the format."""
    found = re.search(r" FORMAT (\w+)(?= SETTINGS |\Z)", _strings_blanked(form))
    if found is None:
        return form, None
    return form[: found.start()] + form[found.end() :], found[1]


def _strings_blanked(form: str) -> str:
    return "".join(
        "x" * len(match[0]) if match["string"] or match["quoted"] else match[0] for match in _TOKEN.finditer(form)
    )


def _bare(sql: str) -> str:
    return sql.strip().rstrip(";").rstrip()


def _plain(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith("`") else name


def _say_why_unparsable(session: Session, sql: str) -> None:
    """Lets the engine try to run the text: its message names the place where parsing stopped."""
    session.set({"readonly": "2"})
    session.run(sql)
    raise query_failed(SYNTAX_ERROR, "Syntax error: not a statement. (SYNTAX_ERROR)")
