"""The command itself: quick help, honest exit codes, one sentence for each mistake."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from deploy.cli import COMMANDS, main
from tests.world.processes import free_port

ENTRY = (sys.executable, "-c", "from deploy.cli import main; main(prog_name='whymesh')")


def whymesh(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ENTRY, *arguments], capture_output=True, check=False, text=True, env={**os.environ, **environment}, timeout=60
    )


def test_help_is_quick_and_shows_every_command() -> None:
    best = 9.0
    for _ in range(3):
        began = used_s()
        shown = whymesh("--help")
        best = min(best, used_s() - began)
    assert shown.returncode == 0
    assert all(f"\n  {name} " in shown.stdout for name in COMMANDS)
    assert best < 0.3


def used_s() -> float:
    """Processor time of the children so far: other work on this host does not count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_needs_nothing_but_the_base_dependencies() -> None:
    code = "import sys; from deploy.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "rich", "yaml", "pydantic", "clickhouse_driver", "chdb", "streamlit"} & set(loaded)


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name].target.startswith("deploy.")])
def test_every_command_of_ours_has_help_with_an_example(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert f"whymesh {name}" in shown.output


def test_a_missing_extra_is_named_with_the_command_that_brings_it() -> None:
    hide = f"import sys; sys.modules['rich'] = None; {ENTRY[-1]}"
    ran = subprocess.run([sys.executable, "-c", hide, "up"], check=False, capture_output=True, text=True)
    assert ran.returncode == 2
    assert ran.stderr == (
        "Error: `whymesh up` needs the Python module rich, which is not installed: pip install 'whymesh[all]'\n"
    )


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    assert whymesh("explain").returncode == 2


def test_the_version_is_that_of_the_distribution() -> None:
    shown = whymesh("--version")
    assert shown.stdout == "whymesh 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("why", "--url", "http://127.0.0.1:{port}"),
            "no answer from the root-cause engine at http://127.0.0.1:{port}",
        ),
        (("sql", "--store", "clickhouse://127.0.0.1:{port}/otel", "SELECT 1"), "127.0.0.1:{port}"),
        (("fault", "payments", "latency"), "no demo is running here"),
    ],
)
def test_who_cannot_be_reached_is_exit_code_3(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    port = free_port()
    ran = whymesh(*(a.format(port=port) for a in arguments), XDG_STATE_HOME=str(tmp_path))
    assert ran.returncode == 3, ran.stderr
    assert sentence.format(port=port) in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("demo", "--fault", "payment:latency", "--exit"), "no service 'payment' in the shop; there are: front"),
        (("demo", "--fault", "payments:slow", "--exit"), "no kind of fault 'slow'"),
        (("demo", "--fault", "payments:latency"), "need --exit"),
        (("up", "-f", "no-such.yaml"), "no-such.yaml"),
        (("sql",), "nothing to ask"),
        (("why", "--url", "ftp://x"), "expected http://host:port"),
    ],
)
def test_mistakes_in_options_are_exit_code_2(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [*ENTRY, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert sentence in " ".join(ran.stderr.split())
    assert "Traceback" not in ran.stderr
