"""The rows of block-level power cuts: each phase of a kiosk's life, and its control after it."""

import sys

from bench.block_cuts.cuts import cut
from bench.block_cuts.machine import CannotRun, record
from bench.block_cuts.marks import Phase
from bench.block_cuts.workload import BROKEN, Variant
from bench.figure import Counts, Row, measured, proved

COMMITS = 150
POINTS = dict.fromkeys(Phase, 80) | {Phase.APPENDING: 160}
"""At how many entries of the log the power is cut, three ways each."""
CONTROL_POINTS = dict.fromkeys(Phase, 20)


def rows(*, quick: bool) -> list[Row]:
    """Measure; nothing with `quick`, since the guest alone takes half a minute."""
    if quick:
        return []
    try:
        recordings = record(COMMITS)
    except CannotRun as error:
        print(f"block-level cuts: {error}", file=sys.stderr)
        return [measured("block-level cuts of an ext4", None, "", bar=0)]
    found = []
    proofs = cut(recordings[Variant.AS_BUILT], POINTS)
    controls = cut(recordings[Variant.BROKEN], CONTROL_POINTS)
    for phase, broken in BROKEN.items():
        for name, tally, control in (
            (f"ext4 in a guest: {phase}", proofs[phase], False),
            (broken, controls[phase], True),
        ):
            counts = Counts(tally.cuts, tally.acknowledged, tally.lost, tally.doubled, tally.wrong)
            found.append(proved(name, counts, control=control))
            if (counts.harm > 0) is not control:
                print(f"block-level cuts: {name}: {tally.examples}", file=sys.stderr)
    return found
