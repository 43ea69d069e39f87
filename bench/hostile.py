"""Hostile inputs: whatever comes in at a door or over the network, spoilt in every way, and what becomes of it."""

import logging
import resource
from dataclasses import dataclass, field

from bench.figure import Counts, Row, measured, proved
from bench.hostile_parts import Part, parts
from bench.mutations import Spoiler

INPUTS = 1_000_000
QUICK_INPUTS = 20_000
PROBE_EVERY = 200
MOST_GROWTH_MB = 48
_SHARES = {
    "cards": 6,
    "NDEF messages": 3,
    "NFC tags through PC/SC": 3,
    "wire messages": 6,
    "journal lines": 3,
    "key events": 2,
    "messages of a reader's process": 3,
    "Motion JPEG": 1,
    "kiosk.toml": 0.25,
    "server.toml": 0.5,
    "signed requests": 0.05,
}
"""How large a share of the inputs each part gets: as large as its inputs are quick."""


@dataclass
class Eaten:
    """What came of a part's inputs."""

    inputs: int = 0
    refused: int = 0
    crashes: int = 0
    blocked: int = 0
    """How often sound bytes were not taken after spoilt ones."""
    examples: list[str] = field(default_factory=list)


def feed(part: Part, inputs: int, *, seed: int) -> Eaten:
    """Give a part spoilt bytes, and sound ones now and then."""
    spoiler, eaten = Spoiler(part.seeds, seed=seed), Eaten()
    for number in range(inputs):
        data = spoiler.next()
        eaten.inputs += 1
        try:
            part.take(data)
        except part.refuses:
            eaten.refused += 1
        except Exception as error:  # noqa: BLE001 - any other is what is looked for
            eaten.crashes += 1
            if len(eaten.examples) < 10:
                eaten.examples.append(f"{type(error).__name__}: {error} at {data[:200]!r}")
        if number % PROBE_EVERY == PROBE_EVERY - 1 or number == inputs - 1:
            eaten.blocked += not part.still_well()
    return eaten


def rows(*, quick: bool, seed: int = 1) -> list[Row]:
    """Give all parts their inputs, with `quick` fewer; a row each, and one for the memory that it took."""
    inputs = QUICK_INPUTS if quick else INPUTS
    found = []
    logging.disable()  # the server tells of each quarantined entry
    with parts() as all_parts:
        for part in all_parts.values():
            feed(part, PROBE_EVERY, seed=seed)  # what is made once is made now
        before_mb = _largest_mb()
        for name, share in _SHARES.items():
            eaten = feed(all_parts[name], round(inputs * share / sum(_SHARES.values())), seed=seed)
            counts = Counts(eaten.inputs, eaten.inputs - eaten.refused, eaten.blocked, 0, eaten.crashes)
            found.append(proved(f"hostile {name}", counts))
    logging.disable(logging.NOTSET)
    grown = measured("memory grown by hostile inputs", _largest_mb() - before_mb, "MB", bar=MOST_GROWTH_MB)
    return [*found, grown]


def _largest_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
