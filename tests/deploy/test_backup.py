"""`whymesh backup` of a control plane that runs, and `restore` of one that does not."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from deploy.backup import backup, restore
from tests.world import meshes
from tests.world.processes import free_port, get, running, until


class Place:
    """A control plane over a folder, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.file = folder, folder / "state", folder / "mesh.tgz"
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, *services: str) -> None:
        named = [meshes.service(name, meshes.endpoint(f"{name}-1")) for name in services]
        meshes.write(self.folder / "mesh.yaml", meshes.mesh(authority={}), *named)

    def start(self) -> Any:
        arguments = ("-f", str(self.folder / "mesh.yaml"), "--listen", f"127.0.0.1:{self.port}")
        return running("proxy.control", *arguments, "--state", str(self.state), log=self.folder / "control.log")

    def ready(self, process: Any) -> None:
        process.ready(f"{self.url}/readyz")

    def epoch(self) -> int:
        return int(json.loads(get(f"{self.url}/v1/status")[1])["epoch"])

    def root(self) -> str:
        return str(json.loads(get(f"{self.url}/v1/authority")[1])["roots"][0]["sha256"])

    def run(self, command: Any, *more: str) -> tuple[int, str]:
        done = CliRunner().invoke(command, [str(self.file), "--state", str(self.state), *more])
        return done.exit_code, done.output


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def changed(place: Place, *services: str) -> int:
    """The epoch that an edit makes."""
    before = place.epoch()
    place.write(*services)
    until(lambda: place.epoch() > before, "the edit")
    return place.epoch()


def test_a_state_is_restored_and_goes_back_only_when_told(place: Place) -> None:
    place.write("cart")
    with place.start() as control:
        place.ready(control)
        root, epoch = place.root(), changed(place, "cart", "pay")
        assert place.run(backup) == (0, f"{place.file}: the control plane's state as of epoch {epoch}\n")
        assert place.file.stat().st_mode & 0o777 == 0o600
        code, said = place.run(restore)
        assert (code, "uses it; stop that first" in said) == (2, True)
        newer = changed(place, "cart", "pay", "stock")
        control.terminate()
    code, said = place.run(restore)
    assert (code, f"is as of epoch {epoch}, but proxies were told of epoch {newer} since" in said) == (2, True)
    assert place.run(restore, "--back")[1].startswith(f"back from epoch {newer}: what was, is epoch {newer + 1} now")
    assert len(list(place.folder.glob("state.before-*"))) == 1
    place.write("cart", "pay")
    with place.start() as control:
        place.ready(control)
        assert (place.epoch(), place.root()) == (newer + 1, root)
        said = get(f"{place.url}/v1/history")[1]
        assert f"everything is as it was as of epoch {epoch}, from a backup" in said


def test_a_lost_folder_goes_on_counting(place: Place) -> None:
    place.write("cart")
    with place.start() as control:
        place.ready(control)
        epoch = place.epoch()
        assert place.run(backup)[0] == 0
        control.terminate()
    place.state.rename(place.folder / "lost")
    assert place.run(restore, "--after", str(epoch + 40))[0] == 2
    assert place.run(restore, "--after", str(epoch + 40), "--back")[0] == 0
    with place.start() as control:
        place.ready(control)
        assert place.epoch() == epoch + 41


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def of_something_else(file: Path) -> None:
    with tarfile.open(file, "w:gz") as tar:
        tar.add(__file__, "../../control.sqlite")


@pytest.mark.parametrize("spoil", [emptied, cut, of_something_else])
def test_what_is_no_backup_replaces_nothing(place: Place, spoil: Callable[[Path], None]) -> None:
    place.write("cart")
    with place.start() as control:
        place.ready(control)
        assert place.run(backup)[0] == 0
        control.terminate()
    spoil(place.file)
    code, said = place.run(restore)
    assert (code, "is no backup" in said) == (2, True)
    assert (place.state / "control.sqlite").exists()
    assert sorted(path.name for path in place.folder.iterdir()) == ["control.log", "mesh.tgz", "mesh.yaml", "state"]


def test_a_folder_that_is_none_is_said_so(place: Place) -> None:
    code, said = place.run(backup)
    assert (code, "is this the --state of `whymesh control`?" in said) == (2, True)
