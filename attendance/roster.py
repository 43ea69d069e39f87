"""The roster as a kiosk needs it: who holds which card, and each child's mark. No names: those travel sealed."""

from enum import StrEnum

import msgspec


class Animal(StrEnum):
    """The animal of a child's mark (おしるし); each is one emoji."""

    BEAR = "bear"
    BIRD = "bird"
    CAT = "cat"
    CHICK = "chick"
    COW = "cow"
    DOG = "dog"
    DOLPHIN = "dolphin"
    ELEPHANT = "elephant"
    FOX = "fox"
    FROG = "frog"
    KOALA = "koala"
    LION = "lion"
    MONKEY = "monkey"
    OCTOPUS = "octopus"
    OWL = "owl"
    PANDA = "panda"
    PENGUIN = "penguin"
    PIG = "pig"
    RABBIT = "rabbit"
    SNAIL = "snail"
    SQUIRREL = "squirrel"
    TIGER = "tiger"
    TURTLE = "turtle"
    WHALE = "whale"


class Colour(StrEnum):
    """The colour behind the animal; each is told apart by colour-blind eyes beside its neighbours."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    GREEN = "green"
    BLUE = "blue"
    NAVY = "navy"
    PURPLE = "purple"
    PINK = "pink"


class Mark(msgspec.Struct, frozen=True):
    """An animal on a colour, one pair for one child of a site."""

    animal: Animal
    colour: Colour


class Holder(msgspec.Struct, frozen=True):
    """A child as the kiosk knows it."""

    child: str
    """Opaque id."""
    mark: Mark
    cards: tuple[str, ...]
    """Hashes of the cards that are valid now."""


class DisplayName(msgspec.Struct, frozen=True):
    """What the child's screen may show of a name."""

    name: str
    kana: str
    """Hiragana, as children read it."""


def all_marks() -> tuple[Mark, ...]:
    """Return every mark there is, neighbours differing in both animal and colour for as long as possible."""
    animals, colours = list(Animal), list(Colour)
    return tuple(
        Mark(animal, colours[(row + column) % len(colours)])
        for row in range(len(colours))
        for column, animal in enumerate(animals)
    )


ANIMAL_EMOJI: dict[Animal, str] = {
    Animal.BEAR: "\N{BEAR FACE}",
    Animal.BIRD: "\N{BIRD}",
    Animal.CAT: "\N{CAT FACE}",
    Animal.CHICK: "\N{FRONT-FACING BABY CHICK}",
    Animal.COW: "\N{COW FACE}",
    Animal.DOG: "\N{DOG FACE}",
    Animal.DOLPHIN: "\N{DOLPHIN}",
    Animal.ELEPHANT: "\N{ELEPHANT}",
    Animal.FOX: "\N{FOX FACE}",
    Animal.FROG: "\N{FROG FACE}",
    Animal.KOALA: "\N{KOALA}",
    Animal.LION: "\N{LION FACE}",
    Animal.MONKEY: "\N{MONKEY FACE}",
    Animal.OCTOPUS: "\N{OCTOPUS}",
    Animal.OWL: "\N{OWL}",
    Animal.PANDA: "\N{PANDA FACE}",
    Animal.PENGUIN: "\N{PENGUIN}",
    Animal.PIG: "\N{PIG FACE}",
    Animal.RABBIT: "\N{RABBIT FACE}",
    Animal.SNAIL: "\N{SNAIL}",
    Animal.SQUIRREL: "\N{CHIPMUNK}",
    Animal.TIGER: "\N{TIGER FACE}",
    Animal.TURTLE: "\N{TURTLE}",
    Animal.WHALE: "\N{SPOUTING WHALE}",
}
COLOUR_HEX: dict[Colour, str] = {
    Colour.RED: "#e0524f",
    Colour.ORANGE: "#f29c38",
    Colour.YELLOW: "#f7d94c",
    Colour.GREEN: "#4cae6a",
    Colour.BLUE: "#4aa3df",
    Colour.NAVY: "#34508f",
    Colour.PURPLE: "#8e6bbf",
    Colour.PINK: "#f2a7c3",
}
