"""What is certain without a validator is what the validator says."""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from subprocess import run
from typing import Annotated, Literal, get_type_hints

import pytest
from annotated_types import Ge, Gt, Le, Lt, MultipleOf
from pydantic import TypeAdapter, ValidationError

from understudy.settings.certain import UNSURE, certain


class Settings:
    value_clip: Annotated[float, Gt(0)] | None


OPTIONAL = get_type_hints(Settings, include_extras=True)["value_clip"]

HINTS = [
    bool,
    int,
    float,
    str,
    Path,
    Annotated[int, Gt(0)],
    Annotated[float, Ge(0), Le(1)],
    Annotated[float, Ge(0), Lt(1)],
    Annotated[int, MultipleOf(2)],
    int | None,
    str | int,
    float | int,
    OPTIONAL,
    Literal["linear", "cosine", 1],
    Literal[True, 0],
    tuple[Annotated[int, Gt(0)], ...],
    tuple[int, str],
    list[int],
]
VALUES = [True, False, None, -1, 0, 1, 3, 0.0, 0.5, 1.0, -0.25, 1e300, float("inf"), "linear", ""]
VALUES += [[], [1, 2], [0], [1, "a"], [True], "2", "cosine"]


@pytest.mark.parametrize(("hint", "plain"), list(product(HINTS, VALUES)), ids=str)
def test_whatever_is_certain_is_what_the_validator_says(hint, plain):
    value = certain(hint, plain)
    if value is not UNSURE:
        judged = TypeAdapter(hint).validate_json(json.dumps(plain), strict=True)
        assert (type(value), value) == (type(judged), judged)


@pytest.mark.parametrize(
    ("hint", "plain"),
    [
        (Annotated[int, Gt(0)], 2048),
        (Annotated[float, Ge(0), Le(1)], 0.5),
        (OPTIONAL, None),
        (OPTIONAL, 0.2),
        (Literal["linear", "cosine"], "cosine"),
        (tuple[Annotated[int, Gt(0)], ...], [64, 64]),
        (bool, False),
    ],
)
def test_the_usual_settings_are_certain(hint, plain):
    assert certain(hint, plain) is not UNSURE


@pytest.mark.parametrize(("hint", "plain"), [(Annotated[int, Gt(0)], 0), (float, "1"), (int, True)])
def test_whatever_is_wrong_is_left_to_the_validator(hint, plain):
    assert certain(hint, plain) is UNSURE
    with pytest.raises(ValidationError):
        TypeAdapter(hint).validate_json(json.dumps(plain), strict=True)


def test_a_run_with_usual_settings_loads_neither_pydantic_nor_torch():
    program = (
        "import sys; from understudy import PPO;"
        "PPO('CartPole-v1', slots=1, steps=32, rows=32);"
        "print([name for name in ('torch', 'pydantic', 'email') if name in sys.modules])"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
