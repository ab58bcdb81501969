"""Names and texts as they stand in SQL."""


def identifier(name: str) -> str:
    """`name` as an SQL identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
