"""A learner that has terms and no signals."""

import numpy as np
import pytest

from understudy.learners.supervised import Supervised, SupervisedConfig
from understudy.nets.model import NetConfig, make_model
from understudy.ops.cost import Cost
from understudy.ops.product import Product
from understudy.run.source import Offline, OfflineConfig
from understudy.terms.clone import Clone, CloneConfig
from worlds import toy_demos, toy_spec


def model(seed=0):
    spec = toy_spec("vector", "hybrid")
    config = NetConfig(hidden=(8,))
    return make_model(spec, Product(spec.action), config, np.random.default_rng(seed))


def learner(seed=0, terms=None, **config):
    terms = {"clone": Clone(CloneConfig())} if terms is None else terms
    return Supervised(model(seed), terms, SupervisedConfig(**config))


def batches(made, count, seed=0):
    demos = toy_demos("vector", "hybrid", 6, 20, np.random.default_rng(seed))
    source = Offline(
        demos.rows(), made.model, OfflineConfig(batch_size=16), np.random.default_rng(seed)
    )
    return [source.draw() for _ in range(count)]


def test_it_learns_what_was_shown():
    made = learner(learning_rate=1e-2)
    losses = [float(made.update(b, 0.0)["loss"]) for b in batches(made, 300)]
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])


def test_the_average_is_the_plain_mean_at_the_start():
    made = learner(average=0.99)
    seen = []
    for b in batches(made, 5):
        made.update(b, 0.0)
        seen.append(made.model.flat.value.copy())
        np.testing.assert_allclose(made.average, np.mean(seen, 0), atol=1e-6)


def test_the_average_then_forgets_as_slowly_as_it_is_told():
    made = learner(average=0.5)
    expected = None
    for number, b in enumerate(batches(made, 6), start=1):
        made.update(b, 0.0)
        weights = made.model.flat.value
        if expected is None:
            expected = weights.copy()
        keep = min(0.5, 1 - 1 / number)
        expected = keep * expected + (1 - keep) * weights
        np.testing.assert_allclose(made.average, expected, atol=1e-6)


def test_without_averaging_the_weights_themselves_are_kept():
    made = learner(average=0)
    for b in batches(made, 3):
        made.update(b, 0.0)
        assert (made.average == made.model.flat.value).all()


@pytest.mark.parametrize("average", [0, 0.9])
def test_averaged_lends_the_kept_weights_and_gives_the_learning_ones_back(average):
    made = learner(average=average)
    for b in batches(made, 4):
        made.update(b, 0.0)
    before, kept = made.model.flat.value.copy(), made.average.copy()
    with made.averaged():
        assert (made.model.flat.value == kept).all()
    assert (made.model.flat.value == before).all()

    def fail():
        with made.averaged():
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (made.model.flat.value == before).all()
    assert (made.average == kept).all()


def test_the_step_size_falls_along_its_schedule():
    made = learner(learning_rate=0.5, schedule="linear")
    (b,) = batches(made, 1)
    assert made.update(b, 0.25)["learning_rate"] == 0.375
    assert made.update(b, 1.0)["learning_rate"] == 0


def test_no_step_is_taken_at_the_end_of_a_schedule():
    made = learner()
    (b,) = batches(made, 1)
    before = made.model.flat.value.copy()
    made.update(b, 1.0)
    assert (made.model.flat.value == before).all()


class Double:
    """A term that pulls nowhere, and is counted half."""

    def weight(self, progress):
        return 0.5

    def loss(self, model, batch):
        return Cost(lambda: 8.0)


def test_terms_are_weighted_and_each_is_said_by_name():
    made = learner(terms={"clone": Clone(CloneConfig(weight=2)), "other": Double()})
    (b,) = batches(made, 1)
    metrics = {name: float(value) for name, value in made.update(b, 0.0).items()}
    assert metrics["loss/other"] == 8
    assert metrics["loss"] == pytest.approx(2 * metrics["loss/clone"] + 4)


def test_metrics_are_of_the_batch_whenever_they_are_read():
    made = learner(learning_rate=0.1)
    many = batches(made, 5)
    first = made.update(many[0], 0.0)
    early = float(first["loss"])
    for b in many[1:]:
        made.update(b, 0.0)
    assert float(first["loss"]) == early


def test_a_learner_goes_on_to_the_very_same_weights():
    one, other = learner(seed=0), learner(seed=5)
    many = batches(one, 12)
    for b in many[:6]:
        one.update(b, 0.1)
    state = one.state_dict()
    frozen = {name: np.array(x) for name, x in state["model"]["flat"].items()}
    other.load_state_dict(state)
    for b in many[6:]:
        one.update(b, 0.5)
        other.update(b, 0.5)
    assert one.model.flat.value.tobytes() == other.model.flat.value.tobytes()
    assert one.average.tobytes() == other.average.tobytes()
    assert one.num_updates == other.num_updates == 12
    assert all((state["model"]["flat"][name] == x).all() for name, x in frozen.items()), "a copy"
