from __future__ import annotations

import numpy as np
import pytest

from made_up import make_choices, make_likeness, make_numbers
from understudy.report.parts import interval, parts, percent
from understudy.report.verdict import ONLY_AN_ENVIRONMENT, judge
from understudy.run.held_out import HeldOutReport


def text(report, **options):
    return " ".join(judge(report, **options).sentences)


def test_policy_that_beats_both_baselines_is_good():
    verdict = judge(make_choices([0.95]))
    assert verdict.level == "good"
    assert "1,000 held-out steps of 5 episodes" in verdict.sentences[0]
    assert "95% of the time" in verdict.sentences[0]
    assert "commonest thing gets 50%" in verdict.sentences[0]
    assert "previous action 60%" in verdict.sentences[0]
    assert len(verdict.sentences) == 2  # nothing to complain of but that no environment was asked


def test_policy_as_good_as_the_commonest_action_has_learned_nothing():
    report = make_choices([0.52], log_probs={"policy": -0.7})
    assert judge(report).level == "none"
    assert "no better than always doing the commonest thing" in text(report)
    assert "demos show" in text(report)


def test_high_accuracy_is_nothing_where_the_commonest_action_has_it_too():
    report = make_choices([0.97], [0.97], [0.97], log_probs={"policy": -0.15, "commonest": -0.15})
    assert judge(report).level == "none"


def test_probabilities_that_know_more_than_the_best_guess_are_mentioned():
    report = make_choices([0.9], [0.9], [0.8], log_probs={"policy": -0.21, "commonest": -0.33})
    assert judge(report).level == "partial"
    assert "−0.210 against −0.330 nats per step" in text(report)
    assert "sampled actions" in text(report)


def test_policy_that_repeating_would_beat_is_never_good():
    report = make_choices([0.9], [0.5], [0.95])
    assert judge(report).level == "partial"
    assert "Repeating the previous action is better (95% against 90%)" in text(report)
    assert "net.memory=64" in text(report)


def test_previous_action_that_is_hardly_better_is_not_mentioned():
    assert "Repeating" not in text(make_choices([0.95], [0.5], [0.953]))


def test_quarter_of_the_variance_is_called_weak_and_noise():
    report = make_numbers([0.26, 0.22], [-0.9, -0.8], [0.28, 0.25])
    assert judge(report).level == "partial"
    said = text(report)
    assert "explains 24% of how the shown action varies" in said
    assert "That is weak: the other 76% are noise" in said
    assert "hardly explains more where it has learned (26%)" in said
    assert "the demonstrator is noisy" in said
    assert "previous action less than nothing" in said


def test_most_of_the_variance_is_not_called_weak():
    report = make_numbers([0.93], [0.4])
    assert judge(report).level == "good"
    assert "weak" not in text(report)
    assert "explains 93%" in text(report)


def test_variance_explained_only_in_training_is_learned_by_heart():
    report = make_numbers([0.2], training=[0.9])
    said = text(report)
    assert "learned by heart: 90% explained where it has learned, 20% where it has not" in said
    assert "More demonstrations" in said
    # One cause is named, not two that contradict each other.
    assert "more of the same would change little" not in said


def test_choices_right_only_in_training_are_learned_by_heart():
    said = text(make_choices([0.8], training=[0.99]))
    assert "99% right where it has learned, 80% where it has not" in said


def test_gap_within_chance_is_not_called_learned_by_heart():
    # 20 steps: 80% may be anything up to 92%.
    assert "by heart" not in text(make_choices([0.8], training=[0.91], steps=20))


def test_explaining_less_than_the_mean_is_nothing():
    verdict = judge(
        HeldOutReport(
            policy=make_likeness(-1.5, (), [-0.2]),
            commonest=make_likeness(-1.4, (), [-0.001]),
            previous=make_likeness(-2.0, (), [-1.0]),
            training=make_likeness(-1.0, (), [-0.1]),
            confusion=(),
            steps=1000,
            episodes=5,
        )
    )
    assert verdict.level == "none"
    assert "all of it is noise" in " ".join(verdict.sentences)


def test_weakest_part_is_named_with_its_baselines():
    report = make_choices([0.95, 0.6], [0.5, 0.55], [0.5, 0.5])
    assert "Weakest is branch 1: 60% right, the commonest choice 55%" in text(report)
    assert judge(report).level == "partial"


def test_idle_part_among_good_ones_is_named():
    report = make_choices([0.95, 0.95, 0.55], [0.5, 0.5, 0.55], [0.5, 0.5, 0.5])
    assert "At branch 2 it is no better than always doing the commonest thing" in text(report)


def test_choice_that_is_never_made_is_named():
    counts = np.array([[900, 0], [100, 0]])
    report = make_choices([0.9], [0.9], [0.9], confusion=(counts,))
    assert "never does choice 1 (10% of the steps), which was shown" in text(report)


def test_choice_that_was_never_shown_is_not_missed():
    counts = np.array([[500, 0, 0], [0, 500, 0], [0, 0, 0]])
    assert "never does" not in text(make_choices([1.0], confusion=(counts,)))


def test_likelihood_no_better_than_that_of_frequencies_is_overconfidence():
    report = make_choices([0.8], log_probs={"policy": -1.9, "commonest": -0.7})
    assert "too sure of itself" in text(report)
    assert "−1.900 nats per step" in text(report)


def test_few_steps_are_unsure_where_chance_reaches_another_level():
    report = make_choices([0.82], steps=40, episodes=2)
    verdict = judge(report)
    assert verdict.level == "unsure"
    assert "40 steps of 2 episodes are little to judge by" in " ".join(verdict.sentences)
    assert "82% could be anything from 67% to 91%" in " ".join(verdict.sentences)


def test_few_steps_are_enough_for_what_chance_cannot_undo():
    verdict = judge(make_choices([0.99], steps=150, episodes=3))
    assert verdict.level == "good"
    assert "Not certain" in " ".join(verdict.sentences)


def test_one_episode_is_always_unsure():
    verdict = judge(make_choices([0.99], steps=5000, episodes=1))
    assert verdict.level == "unsure"
    assert "5,000 steps of 1 episode" in " ".join(verdict.sentences)


def test_constant_demonstrator_judges_nobody():
    report = make_choices([1.0], [1.0], [1.0], steps=6, episodes=2)
    verdict = judge(report)
    assert verdict.level == "unsure"
    assert "did the same thing on all 6 held-out steps" in verdict.sentences[0]


def test_constant_part_is_left_out_of_the_judgment_unless_the_policy_strays():
    assert judge(make_choices([0.95, 1.0], [0.5, 1.0], [0.5, 1.0])).level == "good"
    strays = make_choices([0.95, 0.9], [0.5, 1.0], [0.5, 1.0])
    assert "At branch 1 the demonstrator always did the same, and the policy does not" in text(
        strays
    )


def test_number_that_never_varies_is_no_part_of_the_judgment():
    # `explained` is 0 for everybody who is off by a hair where nothing varies.
    report = HeldOutReport(
        policy=make_likeness(-1, (), [0.9, 0.0]),
        commonest=make_likeness(-2, (), [-0.01, 0.0]),
        previous=make_likeness(-2, (), [0.1, 0.0]),
        training=make_likeness(-1, (), [0.9, 0.0]),
        confusion=(),
        steps=1000,
        episodes=5,
    )
    assert judge(report).level == "good"


def test_no_step_held_out_is_said():
    report = make_choices(
        [float("nan")],
        [float("nan")],
        [float("nan")],
        steps=0,
        episodes=0,
        confusion=(np.zeros((2, 2), np.int64),),
    )
    verdict = judge(report)
    assert verdict.level == "unsure"
    assert "No step was held out" in verdict.sentences[0]


def test_reminder_that_likeness_is_not_success_ends_when_an_environment_was_asked():
    assert judge(make_choices([0.95])).sentences[-1] == ONLY_AN_ENVIRONMENT
    assert ONLY_AN_ENVIRONMENT not in judge(make_choices([0.95]), evaluated=True).sentences


def test_hybrid_actions_speak_of_choices_and_numbers():
    report = HeldOutReport(
        policy=make_likeness(-1, [0.9], [0.3]),
        commonest=make_likeness(-2, [0.5], [0.0]),
        previous=make_likeness(-2, [0.5], [0.1]),
        training=make_likeness(-1, [0.9], [0.3]),
        confusion=(np.array([[450, 50], [50, 450]]),),
        steps=1000,
        episodes=5,
    )
    said = text(report)
    assert "chooses as shown 90% of the time" in said
    assert "explains 30% of how the shown numbers vary. That is weak" in said
    assert [p.name for p in parts(report)] == ["branch 0", "number 0"]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.5, "50%"),
        (1.0, "100%"),
        (0.996, "99.6%"),
        (0.9999, "100%"),
        (0.004, "0.4%"),
        (0.0, "0%"),
        (-0.0001, "0%"),
        (-0.81, "−81%"),
    ],
)
def test_shares_near_the_ends_keep_a_decimal(share, words):
    assert percent(share) == words


def test_binomial_interval_is_wilson_s():
    # 8 of 10: center (0.8 + 1.9208/10) / (1 + 3.8416/10) = 0.7167, half width 0.2266.
    low, high = interval("choice", 0.8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_interval_of_explained_variance_shrinks_with_the_root_of_steps():
    # 1.96 * 2 * 0.5 * 0.75 / sqrt(100) = 0.147 for R2 = 0.25.
    low, high = interval("number", 0.25, 100)
    assert (low, high) == pytest.approx((0.25 - 0.147, 0.25 + 0.147), abs=1e-3)
