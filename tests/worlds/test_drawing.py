"""Shapes by hand on pictures of a few pixels."""

import numpy as np

from understudy.worlds.drawing import INK, disc, paper, stroke


def inked(picture):
    """As rows of 0 and 1."""
    return (picture == INK).all(2).astype(int).tolist()


def test_a_disc_has_the_pixels_whose_middle_is_within_its_radius():
    picture = paper(5, 4)
    disc(picture, (2.5, 1.5), 1.0, INK)
    assert inked(picture) == [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]


def test_a_stroke_goes_from_end_to_end():
    picture = paper(6, 3)
    stroke(picture, (1.5, 1.5), (3.5, 1.5), 1.0, INK)
    assert inked(picture) == [[0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 0, 0], [0, 0, 0, 0, 0, 0]]
    picture = paper(3, 3)
    stroke(picture, (0.5, 0.5), (2.5, 2.5), 1.0, INK)
    assert inked(picture) == np.eye(3, dtype=int).tolist()


def test_what_is_beyond_the_picture_is_cut_off():
    picture = paper(2, 2)
    disc(picture, (9, 9), 3, INK)
    assert inked(picture) == [[0, 0], [0, 0]]
    stroke(picture, (0.5, -9), (0.5, 9), 1.0, INK)
    assert inked(picture) == [[1, 0], [1, 0]]
