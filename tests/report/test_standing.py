from __future__ import annotations

import pytest

from made_up import make_evaluation
from understudy.report.standing import headline_of, number, role, stand, way
from understudy.report.verdict import Verdict


def standing_of(evaluations) -> Verdict:
    found = stand(evaluations)
    assert found is not None
    return found


def everybody(learned, *, episodes=100):
    return {
        "expert": make_evaluation(264, 10, seed=1),
        "learned (deterministic)": make_evaluation(learned, 10, episodes, seed=2),
        "random": make_evaluation(-180, 90, seed=3),
    }


@pytest.mark.parametrize(
    ("learned", "level"), [(260, "good"), (230, "good"), (50, "partial"), (-180, "none")]
)
def test_standing_lies_between_chance_and_expert(learned, level):
    assert standing_of(everybody(learned)).level == level


def test_standing_says_how_far_the_policy_is_with_its_interval():
    said = " ".join(standing_of(everybody(42)).sentences)
    assert "50% of the way from chance to the expert" in said
    assert "95% interval" in said


def test_no_better_than_chance_is_said():
    assert "no better than chance" in " ".join(standing_of(everybody(-180)).sentences)


def test_few_episodes_are_unsure():
    assert standing_of(everybody(260, episodes=5)).level == "unsure"


def test_nobody_to_compare_with_is_unsure():
    standing = standing_of({"deterministic": make_evaluation(200)})
    assert standing.level == "unsure"
    assert headline_of(standing, {})
    assert "Nobody else played" in " ".join(standing.sentences)


@pytest.mark.parametrize(("learned", "level"), [(210, "good"), (150, "partial"), (-180, "none")])
def test_without_a_demonstrator_the_environments_own_threshold_counts(learned, level):
    played = {n: e for n, e in everybody(learned).items() if n != "expert"}
    standing = stand(played, solved=200.0)
    assert standing is not None
    assert standing.level == level
    assert "calls a mean of 200.0 solved" in " ".join(standing.sentences)
    assert (headline_of(standing, played, 200.0) == "Solves the task") == (level == "good")


def test_with_nothing_but_chance_to_compare_with_no_more_is_claimed_than_that():
    played = {n: e for n, e in everybody(150).items() if n != "expert"}
    assert headline_of(standing_of(played), played) == "Better than chance"


def test_what_was_demonstrated_counts_as_the_expert():
    shown = {n: e for n, e in everybody(0).items() if n == "random"}
    shown |= {"demonstrations": make_evaluation(264, 10, 20, seed=1)}
    good = standing_of({"learned": make_evaluation(262, 10, seed=2), **shown})
    assert good.level == "good"
    assert "The demonstrations brought 26" in " ".join(good.sentences)
    assert standing_of({"learned": make_evaluation(100, 10, seed=2), **shown}).level == "partial"


def test_nobody_learned_means_no_standing():
    assert stand({"expert": make_evaluation(264)}) is None
    assert stand({}) is None


def test_best_of_sampled_and_deterministic_counts_and_the_difference_is_said():
    both = everybody(250) | {"learned (sampled)": make_evaluation(120, 10, seed=5)}
    assert "Clearly better than learned (sampled)" in " ".join(standing_of(both).sentences)


def test_expert_no_better_than_chance_makes_no_share():
    assert way(3.0, 2.0, 2.0) is None
    evaluations = everybody(-150) | {"expert": make_evaluation(-190, 10)}
    assert standing_of(evaluations).level == "good"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("expert", "expert"),
        ("Expert (heuristic)", "expert"),
        ("random", "random"),
        ("demonstrations", "expert"),
        ("BC", "learned"),
    ],
)
def test_role_is_read_from_the_name(name, found):
    assert role(name) == found


@pytest.mark.parametrize(
    ("x", "words"), [(1234.5, "1,234"), (-180.24, "−180.2"), (0.5, "0.50"), (-12345.0, "−12,345")]
)
def test_returns_have_few_figures(x, words):
    assert number(x) == words
