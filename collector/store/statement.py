"""Tells what a statement does before it runs, with ClickHouse's own parser, and refuses what a door never runs."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from collector.store.canonical import canonical, plain, split_format, without_outfile
from collector.store.engine import Classified, Session
from collector.store.errors import ACCESS_DENIED, SYNTAX_ERROR, query_failed
from collector.store.outward import Outward

# Anything else behind the column list (FROM INFILE, a table function as target) does not match.
_INSERT: Final = re.compile(
    r"INSERT INTO (?:(?P<database>\w+|`[^`]+`)\.)?(?P<table>\w+|`[^`]+`)(?P<columns> \([^()]*\))?"
    r"(?: SETTINGS [^()]*?)?(?: FORMAT (?P<format>\w+)\Z| SELECT | WITH )"
)
# Values may be expressions, so their text is judged too; this is the one shape in which it can be found for sure.
_VALUES: Final = re.compile(
    r"\A\s*INSERT\s+INTO\s+(?:TABLE\s+)?[\w.`]+\s*(?:\([\w\s,.`]*\))?\s*VALUES\b(?P<rows>.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_DATA_FOLLOWS: Final = re.compile(r"\A\s*INSERT\s.*(?:\bVALUES|\bFORMAT\s+\w+)\s*;?\s*\Z", re.IGNORECASE | re.DOTALL)
_FORMAT_WORD: Final = re.compile(r"\bFORMAT\b", re.IGNORECASE)
# What an owner of the tables may do beside inserting; on its canonical form.
_DEFINES: Final = re.compile(
    r"(?:CREATE (?:OR REPLACE )?(?:TABLE|VIEW|MATERIALIZED VIEW)|CREATE DATABASE|DROP (?:TABLE|VIEW)|ALTER TABLE"
    r"|TRUNCATE TABLE|OPTIMIZE TABLE) "
)
_USE: Final = re.compile(r"USE (?P<database>\w+|`[^`]+`)\Z")


class Kind(Enum):
    """What a door does with a statement."""

    READ = "read"
    INSERT = "insert"
    DEFINE = "define"
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


def examine(session: Session, outward: Outward, sql: str, *, native: bool = False, owner: bool = False) -> Statement:
    """Parses one statement. Raises QueryFailed when it cannot be parsed or may never run through a door.

    With `native`, INTO OUTFILE is left out: a native client writes that file itself, on its own machine.
    An `owner` may define tables of `otel`.
    """
    classified = session.classify(sql)
    if classified.kind == "UNKNOWN":
        canonical(session, sql)  # says where parsing stopped
    if classified.statements != 1:
        raise query_failed(SYNTAX_ERROR, "Multi-statements are not allowed. (SYNTAX_ERROR)")
    if classified.kind == "READ_ONLY" and not outward.suspects(sql) and not _FORMAT_WORD.search(sql):
        return Statement(Kind.READ, _bare(sql))
    form = canonical(session, sql)
    outward.refuse(form)
    if native and (bare := without_outfile(form)) != form:
        return examine(session, outward, bare, owner=owner)
    if classified.kind == "READ_ONLY":
        text, asked = split_format(form)
        return Statement(Kind.READ, text if asked else _bare(sql), asked)
    statement = _changing(sql, form, classified, owner=owner)
    if statement.format == "Values" and not statement.awaits_data:
        outward.refuse_rows(session, _values(sql))
    return statement


def _changing(sql: str, form: str, classified: Classified, *, owner: bool) -> Statement:
    if found := _USE.match(form):
        return Statement(Kind.USE, form, database=plain(found["database"]))
    if form.startswith("SET ") and not form.startswith(("SET ROLE", "SET DEFAULT")):
        return Statement(Kind.SET, form)
    if owner and classified.only_own_database and _DEFINES.match(form):
        return Statement(Kind.DEFINE, _bare(sql))
    found = _INSERT.match(form)
    if found is None or not classified.only_own_database:
        verb = "INTO OUTFILE" if without_outfile(form) != form else form.split(maxsplit=1)[0]
        raise query_failed(ACCESS_DENIED, f"this store's doors do not run {verb} statements. (ACCESS_DENIED)")
    return Statement(
        Kind.INSERT,
        sql,
        table=(plain(found["database"] or ""), plain(found["table"])),
        columns=(found["columns"] or "").strip(),
        format=found["format"],
        awaits_data=found["format"] is not None and data_follows(sql),
    )


def data_follows(sql: str) -> bool:
    """Whether `sql` is an INSERT that ends where its rows would begin."""
    return _DATA_FOLLOWS.match(sql) is not None


def _values(sql: str) -> str:
    """The rows of an INSERT that has them in its text. Raises QueryFailed (62)."""
    found = _VALUES.match(sql)
    if found is None:
        raise query_failed(
            SYNTAX_ERROR, "write it as INSERT INTO table (columns) VALUES (...), nothing between. (SYNTAX_ERROR)"
        )
    return found["rows"]


def _bare(sql: str) -> str:
    return sql.strip().rstrip(";").rstrip()
