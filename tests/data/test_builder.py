"""An episode that is still being lived."""

import numpy as np

from understudy.data.action import Action
from understudy.data.builder import EpisodeBuilder
from understudy.data.episode import ActedBy, End, check_episode
from understudy.data.spec import ActionSpec, Obs, Spec

SPEC = Spec(obs={"obs": Obs(kind="vector", shape=(2,))}, action=ActionSpec(branches=(3,)))


def action(choice):
    return Action(np.zeros(0, np.float32), np.array([choice]))


def obs(x):
    return {"obs": np.full(2, x, np.float32)}


def test_steps_become_an_episode():
    builder = EpisodeBuilder(SPEC, obs(0), seed=7, agent=2)
    builder.step(action(1), 0.5, obs(1), acted_by=ActedBy.HUMAN)
    builder.step(action(2), 1.5, obs(2), proposed=action(0), acted_by=ActedBy.POLICY)
    assert len(builder) == 2
    episode = check_episode(builder.end(End.TRUNCATED), SPEC)
    assert episode.obs["obs"][:, 0].tolist() == [0, 1, 2]
    assert episode.action.discrete.tolist() == [[1], [2]]
    assert episode.meant.discrete.tolist() == [[1], [0]]
    assert episode.return_ == 2
    assert episode.acted_by.tolist() == [ActedBy.HUMAN, ActedBy.POLICY]
    assert (episode.seed, episode.agent, episode.truncated) == (7, 2, True)


def test_everything_is_copied_because_environments_reuse_their_arrays():
    seen, done, meant = obs(0), action(1), action(2)
    builder = EpisodeBuilder(SPEC, seen)
    seen["obs"] += 9
    builder.step(done, 0.0, seen, proposed=meant)
    for array in (seen["obs"], done.discrete, meant.discrete):
        array[:] = 0
    episode = builder.end(End.OPEN)
    assert episode.obs["obs"].tolist() == [[0, 0], [9, 9]]
    assert episode.action.discrete.tolist() == [[1]]
    assert episode.meant.discrete.tolist() == [[2]]


def test_an_episode_may_end_before_its_first_step():
    episode = check_episode(EpisodeBuilder(SPEC, obs(3)).end(End.OPEN), SPEC)
    assert len(episode) == 0
    assert episode.obs["obs"].tolist() == [[3, 3]]
    assert episode.proposed is None


def test_nothing_is_proposed_where_everybody_did_what_they_meant():
    builder = EpisodeBuilder(SPEC, obs(0))
    builder.step(action(1), 0.0, obs(1))
    assert builder.end(End.OPEN).proposed is None
