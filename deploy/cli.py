"""The `whymesh` command: one table of subcommands, each imported when it is called and not before.

In: what the operator typed. Out: a subcommand's exit code. Never: an import that `whymesh --help` does not need;
a sidecar host carries neither the store nor the UI.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import click

EXIT_CODES = """\b
Exit codes:
  0  done; nothing is wrong
  1  done, and the answer is bad news (degraded, the query failed, a check did not hold)
  2  not done: a mistake in options or configuration, a port in use, a missing extra
  3  not known: the process to ask cannot be reached, or has not enough data yet

\b
Examples:
  whymesh demo                              a shop, its mesh and the UI on this machine
  whymesh fault payments latency 300ms      break something in the running demo ...
  whymesh why                               ... and ask what is wrong
  whymesh tap payments --status 5xx         requests as they fail
  whymesh sql "SELECT count() FROM otel.otel_traces"
  whymesh up -f mesh.yaml                   your own services
"""


@dataclass(frozen=True)
class Entry:
    """Where a subcommand lives, what it does in one line, and the extra that brings what it imports."""

    target: str
    summary: str
    extra: str = ""


COMMANDS = {
    "demo": Entry("deploy.demo.command:command", "Run a shop of services with the whole mesh around it.", "all"),
    "up": Entry("deploy.up:command", "Run the mesh of a mesh.yaml on this machine.", "all"),
    "why": Entry("deploy.why:command", "Say what is wrong now, and why.", "local"),
    "incidents": Entry("deploy.incidents:incidents", "List incidents.", "local"),
    "alarms": Entry("deploy.incidents:alarms", "List alarms of objectives and rules.", "local"),
    "ack": Entry("deploy.incidents:ack", "Say that you look after an incident or alarm.", "local"),
    "note": Entry("deploy.incidents:note", "Write something to an incident or alarm.", "local"),
    "silence": Entry("deploy.incidents:silence", "Tell no webhook of a service for a while.", "local"),
    "webhooks": Entry("deploy.incidents:webhooks", "List who is told of incidents, and try whether it works.", "local"),
    "tap": Entry("deploy.tap:command", "Show requests as they happen, or the last ones."),
    "fault": Entry("deploy.demo.fault:command", "Break a service of the running demo, or heal it."),
    "sql": Entry("deploy.sql:command", "Ask the store a question in SQL.", "rootcause"),
    "keep": Entry("deploy.keep:command", "Show what stays of old days, or pin a trace.", "rootcause"),
    "export": Entry("deploy.archive:export", "Write tables to Parquet files.", "embedded"),
    "import": Entry("deploy.archive:import_", "Read such files into a store.", "embedded"),
    "schema": Entry("deploy.schema:command", "Print the SQL of the tables, or the schema of mesh.yaml.", "rootcause"),
    "policy": Entry("deploy.policies.command:command", "Ask who may ask what, and what has to be allowed.", "control"),
    "plan": Entry(
        "deploy.policies.plan:command", "Say what a new mesh.yaml would change for requests that were made.", "all"
    ),
    "replay": Entry("deploy.replay:command", "Put a recorded incident through collector and root cause.", "all"),
    "proxy": Entry("proxy.__main__:command", "Carry the traffic of one instance (the sidecar)."),
    "workload-api": Entry("proxy.workload.__main__:command", "Give an application its identity (SPIFFE).", "control"),
    "register": Entry("deploy.register:register", "Let an instance join a service of the mesh."),
    "deregister": Entry("deploy.register:deregister", "Take a registered instance out of the mesh."),
    "intercept": Entry("proxy.intercept.command:command", "Redirect an application's connections to its proxy."),
    "control": Entry("proxy.control.__main__:command", "Tell every proxy what to do (the control plane).", "control"),
    "status": Entry("deploy.config.look:status", "Show which proxies serve what they should."),
    "get": Entry("deploy.config.look:get", "Show the configuration in force.", "control"),
    "apply": Entry("deploy.config.change:apply", "Write documents to the mesh.", "control"),
    "diff": Entry("deploy.config.change:diff", "Show what apply would change, and who would be told.", "control"),
    "delete": Entry("deploy.config.change:delete", "Delete a document."),
    "history": Entry("deploy.config.look:history", "Show every epoch: when, who, what."),
    "rollback": Entry("deploy.config.change:rollback", "Go back to the documents of an epoch."),
    "token": Entry("deploy.config.tokens:command", "Let another machine change the configuration."),
    "ca": Entry("deploy.ca:command", "Look at the certificate authority, and give it orders.", "control"),
    "backup": Entry("deploy.backup:backup", "Write the control plane's state to a file.", "control"),
    "restore": Entry("deploy.backup:restore", "Put such a file in the place of a state.", "control"),
    "collector": Entry("collector.__main__:command", "Store OTLP spans in ClickHouse.", "embedded"),
    "rootcause": Entry("rootcause.__main__:command", "Find what degraded and which part did it.", "rootcause"),
    "ui": Entry("deploy.ui:command", "Show the service graph, incidents and SQL in a browser.", "ui"),
}


OUR_PACKAGES = {"proxy", "collector", "rootcause", "dashboards", "deploy"}


class LazyGroup(click.Group):
    """A group whose listing comes from COMMANDS and whose members are imported one at a time."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry.target.partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            raise MissingExtra(cmd_name, entry.extra, error.name or "?") from error
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:  # a command imports its heavy parts when it runs
            name = ctx.invoked_subcommand or ""
            raise MissingExtra(name, COMMANDS[name].extra, error.name or "?") from error


class MissingExtra(click.ClickException):
    """A subcommand needs a package that this installation does not carry."""

    exit_code = 2

    def __init__(self, command: str, extra: str, module: str) -> None:
        package = module.partition(".")[0]
        if package in OUR_PACKAGES or not extra:
            lacking, remedy = module, "reinstall whymesh"
        else:
            lacking, remedy = package, f"pip install 'whymesh[{extra}]'"
        super().__init__(f"`whymesh {command}` needs the Python module {lacking}, which is not installed: {remedy}")


@click.group(cls=LazyGroup, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="whymesh", message="whymesh %(version)s")
def main() -> None:
    """The service mesh that tells you why.

    Proxies beside your services record every request, a collector stores the spans in ClickHouse, and a root-cause
    engine says which service, version, instance, route or link made things worse, with the evidence.
    """
