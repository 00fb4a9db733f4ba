"""What `import understudy` gives, and what it and the command cost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import understudy
from demo_files import real
from outside import SMALL, surroundings
from outside import understudy as command

HEAVY = ("torch", "numpy", "gymnasium", "pydantic", "yaml", "matplotlib", "rich")


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The heavy packages that a fresh interpreter has loaded after running some code."""
    ask = f"; import json, sys; print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + ask],
        cwd=cwd,
        env=surroundings(),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def command_of(*words: object) -> str:
    return f"from understudy.cli import main; assert main({[*map(str, words)]!r}) == 0"


def test_importing_the_package_loads_nothing(tmp_path):
    assert loaded_by("import understudy", tmp_path) == set()
    assert loaded_by("import understudy; dir(understudy)", tmp_path) == set()


def test_reading_demonstrations_needs_neither_torch_nor_gymnasium(tmp_path):
    found = loaded_by("from understudy import load_demos, Demos, Spec", tmp_path)
    assert found <= {"numpy"}


def test_every_name_is_there_and_is_the_one_from_its_room():
    from understudy.presets import BC

    assert understudy.BC is BC
    for name in understudy.__all__:
        assert name in dir(understudy)
        assert getattr(understudy, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'understudy' has no attribute 'GAILL'"):
        understudy.GAILL  # noqa: B018


@pytest.mark.parametrize("words", ["--help", "learn --help", "demos show --help"])
def test_help_is_instant_because_it_loads_nothing(tmp_path, words):
    ask = (
        "import contextlib\nfrom understudy.cli import main\n"
        f"with contextlib.suppress(SystemExit): main({words.split()!r})\nprint()"
    )
    assert loaded_by(ask, tmp_path) == set()


def test_a_dense_cloning_run_never_loads_torch(tmp_path):
    command("record", "CartPole-v1", "--episodes", 2, "-o", "cart", "--quiet", cwd=tmp_path)
    words = ("learn", "cart", "--steps", 60, "held_out.folds=2", "net.hidden=[16]", "--quiet")
    assert "torch" not in loaded_by(command_of(*words), tmp_path)
    words = (
        "learn",
        "CartPole-v1",
        "--with",
        "bc",
        "--demos",
        "cart",
        "--steps",
        60,
        "--episodes",
        2,
        *SMALL,
    )
    assert "torch" not in loaded_by(command_of(*words, "--quiet"), tmp_path)
    code = (
        "from understudy import BC, Policy, evaluate\n"
        "from understudy.nets.model import NetConfig\n"
        "agent = BC('CartPole-v1', 'cart', steps=60, net=NetConfig(hidden=(16,))).learn()\n"
        "agent.report()\n"
        "agent.predict([0.0, 0.0, 0.0, 0.0])\n"
        "evaluate(Policy.load(agent.save('saved')), 'CartPole-v1', episodes=2)"
    )
    assert "torch" not in loaded_by(code, tmp_path)


def test_cloning_an_ml_agents_file_never_loads_torch(tmp_path):
    words = ("learn", real("ExpertBasic.demo"), "--steps", 60, "held_out.folds=0", "--quiet")
    assert "torch" not in loaded_by(command_of(*words), tmp_path)
