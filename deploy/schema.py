"""`whymesh schema`: every statement that makes the tables. In: a layout. Out: SQL on standard output."""

from __future__ import annotations

import click


@click.command(name="schema")
@click.option("--cluster", default="", help="Name of the cluster: ON CLUSTER.")
@click.option("--replicated", is_flag=True, help="Replicated engines, with the macros {shard} and {replica}.")
@click.option("--sharded", is_flag=True, help="Distributed tables over a local one on each node; needs --cluster.")
def command(cluster: str, replicated: bool, sharded: bool) -> None:
    """Print the SQL that makes the tables.

    For a ClickHouse server whose tables a collector may not make itself (`store.create_tables: false`). It can be run
    again: what is there stays.

    \b
    Examples:
      whymesh schema | clickhouse-client --multiquery
      whymesh schema --cluster prod --replicated --sharded
    """
    from collector.store.layout import Layout
    from collector.store.migrate import script

    if sharded and not cluster:
        raise click.UsageError("--sharded needs the name of a cluster: --cluster NAME")
    for statement in script(Layout(cluster, replicated, sharded)):
        click.echo(f"{statement.strip()};\n")
