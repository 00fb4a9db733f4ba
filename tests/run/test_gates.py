"""Who is asked and who acts."""

import numpy as np
import pytest

from understudy.run.gates import GateConfig, make_gate

KINDS = ("none", "takeover", "doubt", "discrepancy", "budget")
DOUBT, APART = np.array([0.0, 0.1, 0.3]), np.array([0.0, 0.5, 1.0])


def gate(kind, **changes):
    return make_gate(GateConfig(kind=kind, **changes), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("kind", "asks", "yields"),
    [
        ("none", [1, 1, 1], [0, 0, 0]),
        ("takeover", [1, 1, 1], [1, 1, 1]),
        ("doubt", [0, 0, 1], [1, 1, 1]),
        ("discrepancy", [1, 1, 1], [0, 1, 1]),
    ],
)
def test_every_gate_has_its_rule(kind, asks, yields):
    made = gate(kind, threshold=0.2)
    assert made.asks(DOUBT).tolist() == asks
    assert made.yields(APART).tolist() == yields


def test_a_doubt_at_the_threshold_is_none():
    assert gate("doubt", threshold=0.1).asks(DOUBT).tolist() == [0, 0, 1]
    assert gate("discrepancy", threshold=0.5).yields(APART).tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_gate_takes_no_slot_at_all(kind):
    made, nobody = gate(kind), np.zeros(0)
    assert made.asks(nobody).shape == made.yields(nobody).shape == (0,)


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("slots", [1, 4])
@pytest.mark.parametrize("scale", [0, 1], ids=["always the same doubt", "any doubt"])
def test_a_budget_asks_about_its_share_of_the_steps(share, slots, scale):
    made, rng = gate("budget", share=share), np.random.default_rng(1)
    asked = [made.asks(scale * rng.random(slots)) for _ in range(2000 // slots)]
    assert np.mean(asked) == pytest.approx(share, abs=0.02)


def test_a_budget_is_spent_on_the_greatest_doubts():
    made, rng = gate("budget", share=0.2), np.random.default_rng(1)
    doubts = rng.random(2000)
    asked = np.array([made.asks(d[None])[0] for d in doubts])
    # The threshold is found out while it goes, so single steps near 0.8 go either way.
    late = np.arange(2000) >= 500
    assert doubts[asked & late].min() > 0.75
    assert asked[late & (doubts > 0.85)].all()


def test_only_who_needs_an_ensemble_has_one():
    sizes = {kind: GateConfig(kind=kind, members=3).ensemble for kind in KINDS}
    assert sizes == {"none": 1, "takeover": 1, "doubt": 3, "discrepancy": 1, "budget": 3}
