"""Learning a growing set of labels, anew or going on."""

import numpy as np
import pytest

from understudy.data.demos import Demos
from understudy.data.spec import ActionSpec, Obs, Spec
from understudy.learners.supervised import SupervisedConfig
from understudy.nets.model import NetConfig
from understudy.run.pupils import Pupils, Recipe
from understudy.run.source import OfflineConfig
from understudy.terms.clone import Clone, CloneConfig
from worlds import episode_of

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=())}, action=ActionSpec(continuous=1))


def rows_of(*numbers):
    seen = np.arange(len(numbers) + 1)
    return Demos(SPEC, [episode_of(SPEC, seen, continuous=list(numbers))]).rows()


FIRST, ALL = rows_of(0, 2), rows_of(0, 2, 40, 80)


def pupils(start, members=2, learning_rate=1e-9):
    recipe = Recipe(
        spec=SPEC,
        net=NetConfig(hidden=(4,)),
        learner=SupervisedConfig(learning_rate=learning_rate),
        source=OfflineConfig(batch_size=2, turn=3, noise=0),
        start=start,
        updates=5,
        members=members,
        seed=0,
    )
    return Pupils(recipe, {"clone": Clone(CloneConfig())})


def lived(made):
    while not made.over:
        for batch in made.batches():
            made.update(batch, 0.0)
    return [p.learner.average.copy() for p in made.members]


def test_a_warm_round_goes_on_from_the_weights_before_and_another_does_not():
    for start in ("warm", "anew"):
        made = pupils(start)
        made.begin(0, FIRST, FIRST)
        before = lived(made)
        made.begin(1, FIRST, ALL)
        same = [np.allclose(a, b, atol=1e-6) for a, b in zip(before, lived(made), strict=True)]
        assert same == [start == "warm"] * 2


def test_units_of_actions_stay_while_weights_do():
    # Two labels, 0 and 2: center 1, deviation 1. Of all four the center is 30.5.
    for start, center in (("warm", 1), ("anew", 30.5)):
        made = pupils(start)
        made.begin(0, FIRST, FIRST)
        made.begin(1, FIRST, ALL)
        assert [p.model.dist.center[0] for p in made.members] == [center] * 2


def test_members_differ_in_weights_and_order_and_learn_as_often():
    made = pupils("anew", learning_rate=1e-3)
    made.begin(0, ALL, ALL)
    one, other = lived(made)
    assert not np.allclose(one, other)
    assert [p.learner.num_updates for p in made.members] == [5, 5]
    # Batches of two, in turns of three: the second turn is cut off by the round's end.
    assert [p.source.num_batches for p in made.members if p.source] == [5, 5]


def test_a_state_of_another_ensemble_is_refused():
    made = pupils("anew", members=3)
    with pytest.raises(ValueError, match="2 policies, expected 3"):
        made.load_state_dict(pupils("anew").state_dict())


def test_nothing_is_served_before_the_first_round():
    made = pupils("anew")
    assert made.over
    assert list(made.batches()) == []
