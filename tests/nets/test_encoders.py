"""Cameras: any size from the smallest on, any number of channels, and what papers say of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from understudy.data.spec import Obs
from understudy.errors import ConfigError
from understudy.nets.encoders import CAMERAS, Camera


def camera(kind: str, height: int, width: int, channels: int) -> Camera:
    obs = Obs(kind="image", shape=(height, width, channels), dtype="uint8")
    return Camera(kind, "eye", obs, 7, np.random.default_rng(0))


@pytest.mark.parametrize("channels", [1, 3, 4, 12])
@pytest.mark.parametrize("size", [(36, 36), (36, 51), (64, 48), (84, 84)])
@pytest.mark.parametrize("kind", CAMERAS)
def test_images_of_any_size_and_depth_become_one_row_each(kind, size, channels):
    height, width = size
    net = camera(kind, height, width, channels)
    images = torch.rand(2, 3, channels, height, width)
    with torch.no_grad():
        seen = net(images)
        assert seen.shape == (2, 3, 7)
        torch.testing.assert_close(seen[1, 2], net(images[1, 2]), rtol=1e-4, atol=1e-4)
        assert (net(1 - images) - seen).abs().max() > 1e-4


@pytest.mark.parametrize("kind", CAMERAS)
def test_the_smallest_side_is_the_smallest(kind):
    side = CAMERAS[kind].min_side
    assert camera(kind, side, side, 3)(torch.rand(1, 3, side, side)).isfinite().all()
    with pytest.raises(ConfigError, match=f"from {side} pixels a side on"):
        camera(kind, side - 1, 200, 3)


@pytest.mark.parametrize(
    ("kind", "shapes", "features"),
    [
        ("simple", [(16, 4, 8, 8), (32, 16, 4, 4)], 32 * 9 * 9),
        ("nature", [(32, 4, 8, 8), (64, 32, 4, 4), (64, 64, 3, 3)], 64 * 7 * 7),
        (
            "resnet",
            [(16, 4, 3, 3), *[(16, 16, 3, 3)] * 4]
            + [(32, 16, 3, 3), *[(32, 32, 3, 3)] * 4]
            + [(32, 32, 3, 3)] * 5,
            32 * 11 * 11,
        ),
    ],
)
def test_an_encoder_has_the_layers_of_its_paper_on_84_pixels_and_4_channels(kind, shapes, features):
    net = camera(kind, 84, 84, 4)
    found = [tuple(p.shape) for n, p in net.body.named_parameters() if n.endswith("weight")]
    assert found == shapes
    assert net.out.in_features == features
