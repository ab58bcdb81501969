"""Streamlit puts the folder of app.py first on sys.path: a file there must not hide a module that anybody imports."""

import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import dashboards

FOLDER = Path(dashboards.__file__).parent
OURS = {"proxy", "collector", "rootcause", "deploy", "tests"}


def test_no_file_of_the_dashboards_hides_another_module() -> None:
    names = {path.stem for path in FOLDER.rglob("*.py")} | {path.name for path in FOLDER.iterdir() if path.is_dir()}
    taken = names & (set(sys.stdlib_module_names) | set(packages_distributions()) | OURS)
    assert taken - {"__init__"} == set()
