"""The roster: marks enough for a site, each with a picture and a colour."""

import itertools
import re

from attendance.roster import ANIMAL_EMOJI, COLOUR_HEX, Animal, Colour, all_marks


def test_there_are_192_marks_and_no_two_alike() -> None:
    assert len(all_marks()) == len(set(all_marks())) == len(Animal) * len(Colour) == 192


def test_children_who_enrol_one_after_the_other_get_marks_that_differ_in_both_parts() -> None:
    marks = all_marks()
    for one, other in itertools.pairwise(marks):
        assert one.animal is not other.animal
        assert one.colour is not other.colour


def test_every_animal_is_one_emoji_of_its_own_and_every_colour_a_colour() -> None:
    assert set(ANIMAL_EMOJI) == set(Animal)
    assert len(set(ANIMAL_EMOJI.values())) == len(Animal)
    assert all(len(emoji) == 1 for emoji in ANIMAL_EMOJI.values())
    assert set(COLOUR_HEX) == set(Colour)
    assert all(re.fullmatch("#[0-9a-f]{6}", value) for value in COLOUR_HEX.values())
    assert len(set(COLOUR_HEX.values())) == len(Colour)
