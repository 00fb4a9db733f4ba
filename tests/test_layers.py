"""Imports run one way: a room knows the rooms before it and none after."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "understudy"

GROUND = {"errors", "settings"}
MAY_IMPORT = {
    "data": set(),
    "ops": {"data"},
    "nets": {"data", "ops"},
    "rewards": {"data", "ops", "nets"},
    "terms": {"data", "ops", "nets"},
    "learners": {"data", "ops", "nets", "rewards", "terms"},
    "envs": {"data"},
    "worlds": {"data", "ops"},
    "inverse": {"data", "ops"},
    "run": {"data", "ops", "nets", "rewards", "terms", "learners", "envs"},
    "human": {"data", "envs", "run"},
    "export": {"data", "nets"},
    "agent": {"run"},
    "presets": {"data", "terms", "envs", "worlds", "run", "agent"},
    "imitators": {"presets", "rewards", "run"},
    "report": {"data", "ops", "nets", "envs", "run"},
    "interactive": {"data", "terms", "envs", "worlds", "run", "human", "agent", "presets"},
    "commands": {"data", "envs", "run", "human", "presets", "interactive", "report"},
    "shims": {"data", "run", "agent", "presets", "imitators"},
    "cli": {"commands"},
    "__main__": {"cli"},
    "__init__": {"data", "presets", "imitators", "interactive", "run"},
    "errors": set(),
    "settings": set(),
}
TORCH_AT_THE_TOP = {
    "ops/tape.py",
    "nets/modules.py",
    "nets/torch_critic.py",
    "nets/torch_discriminator.py",
    "nets/encoders.py",
    "nets/attention.py",
    "nets/recurrent.py",
    "nets/tower.py",
    "nets/goals.py",
    "nets/door.py",
    "nets/layers.py",
}


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path, *, top: bool = False) -> set[str]:
    """Dotted names that a file imports; only those at its top level if asked."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top else ast.walk(tree)
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_rooms_before_it(path: Path) -> None:
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room}: a new room needs a place in the order"
    allowed = MAY_IMPORT[room] | GROUND | {room}
    inside = {n.split(".")[1] for n in imported(path) if n.startswith("understudy.")}
    used = inside & {room_of(p) for p in files()}
    assert used <= allowed, f"{path.name} imports {sorted(used - allowed)}"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_torch_is_imported_at_the_top_only_where_tensors_live(path: Path) -> None:
    name = str(path.relative_to(PACKAGE))
    uses_torch = any(n.split(".")[0] == "torch" for n in imported(path, top=True))
    assert not uses_torch or name in TORCH_AT_THE_TOP


def test_no_file_unpickles() -> None:
    for path in files():
        names = imported(path)
        assert not names & {"pickle", "dill", "cloudpickle", "joblib", "shelve"}, path
        assert "torch.load" not in path.read_text(), path


def test_nothing_is_called_utils() -> None:
    odd = {"utils", "util", "common", "misc", "helpers", "base"}
    assert not [p for p in files() if p.stem in odd or odd & set(p.parts)]
