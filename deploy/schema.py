"""`whymesh schema`: every statement that makes the tables, or what a mesh.yaml may say.

In: a layout of the store, or nothing. Out: SQL, or JSON Schema, on standard output.
"""

from __future__ import annotations

import json
from typing import Literal

import click


@click.group(name="schema", invoke_without_command=True)
@click.pass_context
@click.option("--cluster", default="", help="Name of the cluster: ON CLUSTER.")
@click.option("--replicated", is_flag=True, help="Replicated engines, with the macros {shard} and {replica}.")
@click.option("--sharded", is_flag=True, help="Distributed tables over a local one on each node; needs --cluster.")
@click.option("--indexes", type=click.Choice(["bloom", "text"]), help="Of spans and logs.  [default: bloom]")
def command(
    context: click.Context, cluster: str, replicated: bool, sharded: bool, indexes: Literal["bloom", "text"] | None
) -> None:
    """Print the SQL that makes the tables.

    For a ClickHouse server whose tables a collector may not make itself (`store.create_tables: false`). It can be run
    again: what is there stays.

    \b
    Examples:
      whymesh schema | clickhouse-client --multiquery
      whymesh schema --cluster prod --replicated --sharded --indexes text
      whymesh schema mesh > mesh.schema.json
    """
    if context.invoked_subcommand:
        return
    from collector.store.layout import Layout
    from collector.store.migrate import script

    if sharded and not cluster:
        raise click.UsageError("--sharded needs the name of a cluster: --cluster NAME")
    for statement in script(Layout(cluster, replicated, sharded, indexes)):
        click.echo(f"{statement.strip()};\n")


@command.command(name="mesh")
def mesh_command() -> None:
    """Print the JSON Schema of the documents of a mesh.yaml, for editors.

    \b
    Example:
      whymesh schema mesh > mesh.schema.json
      # first line of mesh.yaml: # yaml-language-server: $schema=mesh.schema.json
    """
    from proxy.control.reading.schema import mesh_schema

    click.echo(json.dumps(mesh_schema(), indent=1))
