"""Reading cards: what our cascade reads beside each engine alone, how soon and at what cost, all in one run.

The bars are those of a railway gate on cheap hardware; every ratio is taken against pyzbar on every frame, the way such
a reader is commonly built.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from attendance.cards import looks_like_card
from bench import nfc
from bench.figure import Row, measured
from bench.photographs import load_photographs
from bench.playback import FPS, Read, Runner, Showing, as_jpeg, every_frame, settled_gate
from hardware.camera_command import CSI_QUALITY
from hardware.frame_source import Frame
from hardware.qr_camera import look_at
from hardware.qr_cascade import BUDGET_S, RUNGS, Cascade, read_photograph
from hardware.qr_decode import Grey, read_with_pyzbar, read_with_zxing
from hardware.qr_gate import Attention, IdleGate
from hardware.synthetic_card import code_picture, draw_card
from hardware.synthetic_frames import HandSequence, draw_hard_frames, draw_payload, draw_sequence
from hardware.synthetic_scene import Pose, Scene

SEED = 20_000
"""Apart from every seed with which the cascade was tuned."""
SLOW_BUDGET_S = BUDGET_S / 10
"""What the budget of a machine ten times slower is worth here."""


def run(*, quick: bool) -> list[Row]:
    """Measure; with `quick` fewer frames and sequences of the same kinds."""
    wrong = Counter[str]()
    rows = _photographs()
    rows += _hard_frames(6 if quick else 70, wrong)
    rows += _sequences(20 if quick else 120, wrong)
    rows += _pairs(6 if quick else 60, wrong)
    rows += _idle(150 if quick else 900)
    hostile = 500 if quick else 20_000
    wrong["hostile"] += _count_accepted(hostile)
    rows.append(measured(f"wrong tokens accepted, {hostile} hostile or empty frames", wrong["hostile"], "", bar=0))
    rows.append(measured("wrong tokens accepted, all other frames", wrong["frames"], "", bar=0))
    rows += nfc.rows(3 if quick else 60)
    return rows


def _photographs() -> list[Row]:
    photographs = load_photographs()
    if not photographs:
        print("bench reading: no QR photographs here ($TADAIMA_QR_PHOTOS); their rows are left out", file=sys.stderr)
        return []
    count = Counter[str]()
    for photograph in photographs:
        ours = read_photograph(photograph.grey)
        if photograph.must_be_empty:
            count["wrong"] += bool(ours)
            continue
        zxing = photograph.is_read_by(read_with_zxing(photograph.grey))
        pyzbar = photograph.is_read_by(read_with_pyzbar(photograph.grey))
        count.update(zxing=zxing, pyzbar=pyzbar, union=zxing or pyzbar, ours=photograph.is_read_by(ours), all=1)
    of = f"of {count['all']}"
    return [
        measured("public photographs read, one shot", count["ours"], of, bar=count["union"], better="higher"),
        measured("public photographs, zxing-cpp alone", count["zxing"], of, better="higher"),
        measured("public photographs, pyzbar alone", count["pyzbar"], of, better="higher"),
        measured("public pictures without a code in which one was read", count["wrong"], "", bar=0),
    ]


def _hard_frames(per_condition: int, wrong: Counter[str]) -> list[Row]:
    count = Counter[str]()
    for frame in draw_hard_frames(per_condition, seed=SEED):
        payload = frame.payload.encode()
        ours = [code.payload for code in read_photograph(frame.grey)]
        zxing = payload in [code.payload for code in read_with_zxing(frame.grey)]
        pyzbar = payload in [code.payload for code in read_with_pyzbar(frame.grey)]
        count.update(zxing=zxing, pyzbar=pyzbar, union=zxing or pyzbar, ours=payload in ours, all=1)
        wrong["frames"] += any(other != payload for other in ours)
    share = {who: 100 * count[who] / count["all"] for who in ("ours", "zxing", "pyzbar", "union")}
    name = f"{count['all']} synthetic hard frames"
    return [
        measured(f"{name} read, one shot", share["ours"], "%", bar=share["union"], better="higher"),
        measured(f"{name}, points above pyzbar", share["ours"] - share["pyzbar"], "%", bar=10, better="higher"),
        measured(f"{name}, zxing-cpp alone", share["zxing"], "%", better="higher"),
        measured(f"{name}, pyzbar alone", share["pyzbar"], "%", bar=share["union"], better="higher", control=True),
    ]


def _sequences(number: int, wrong: Counter[str]) -> list[Row]:
    ours, slow, pyzbar = Runner(BUDGET_S), Runner(SLOW_BUDGET_S), Runner()
    delays = []
    for seed in range(SEED, SEED + number):
        sequence = draw_sequence(fps=FPS, seed=seed)
        frames = as_jpeg(sequence.frames)
        readable_at = _first_readable(frames, sequence.shown_at)
        showing = Showing(frozenset({sequence.payload.encode()}), frames, sequence.shown_at, readable_at)
        delays.append(_delay(sequence))
        ours.play(showing, _gated(sequence.frames[0]))
        pyzbar.play(showing, every_frame(read_with_pyzbar))
        if seed % 4 == 0:
            slow.play(showing, _gated(sequence.frames[0], SLOW_BUDGET_S))
    wrong["frames"] += ours.misread + slow.misread
    rows = []
    for limit_s, bar in ((1, 85), (2, 89)):
        name = f"{number} hurried hands, read within {limit_s} s"
        theirs = pyzbar.percent_within(limit_s)
        rows += [
            measured(name, ours.percent_within(limit_s), "%", bar=bar, better="higher"),
            measured(f"{name}, pyzbar", theirs, "%", bar=bar, better="higher", control=True),
        ]
    over = "frames that took longer than a budget of"
    return [
        *rows,
        measured("frames from first readable to read, p95", float(np.percentile(ours.late_frames, 95)), "", bar=2),
        measured("frames by which the gate wakes late, worst", max(delays), "", bar=0),
        measured("processor time a frame, card in view", ours.ms_a_frame(), "ms"),
        measured("processor time a frame, card in view, pyzbar", pyzbar.ms_a_frame(), "ms"),
        measured("processor time, card in view, against pyzbar", ours.ms_a_frame() / pyzbar.ms_a_frame(), "x", bar=0.6),
        measured(f"{over} {1000 * BUDGET_S:.0f} ms", 100 * ours.over_budget / ours.frames, "%", bar=1),
        measured(f"{over} {1000 * SLOW_BUDGET_S:.0f} ms", 100 * slow.over_budget / slow.frames, "%"),
        measured(
            f"{slow.showings} of the hands, read within 2 s at that budget",
            slow.percent_within(2),
            "%",
            better="higher",
        ),
    ]


def _pairs(number: int, wrong: Counter[str]) -> list[Row]:
    """Two cards in one frame: a hurried hand's beside one that is held still."""
    ours, zxing = Runner(), Runner()
    for seed in range(SEED, SEED + number):
        hurried = draw_sequence(fps=FPS, seed=seed)
        payload, pictures = _beside_a_still_card(hurried, seed)
        wanted = frozenset({hurried.payload.encode(), payload.encode()})
        showing = Showing(wanted, as_jpeg(pictures), hurried.shown_at)
        ours.play(showing, _gated(pictures[0]))
        zxing.play(showing, every_frame(read_with_zxing))
    wrong["frames"] += ours.misread
    name = f"{number} hurried hands beside a card held still, both read within 2 s"
    theirs = zxing.percent_within(2)
    return [
        measured(name, ours.percent_within(2), "%", bar=theirs, better="higher"),
        measured(f"{name}, zxing-cpp alone", theirs, "%", better="higher"),
    ]


def _beside_a_still_card(hurried: HandSequence, seed: int) -> tuple[str, list[Grey]]:
    """The other card's payload, and frames made of the middle of the hand's and the middle of the other's."""
    payload = draw_payload(np.random.default_rng([seed, 1]))
    card, scene = draw_card(payload), Scene(seed=seed + 1)
    pictures = []
    for at, grey in enumerate(hurried.frames):
        still = scene.render(card if at >= hurried.shown_at else None, Pose(size=0.28, motion_px=1.5))
        pictures.append(np.ascontiguousarray(np.hstack([grey[:, 160:480], still[:, 160:480]])))
    return payload, pictures


def _idle(number: int) -> list[Row]:
    scene = Scene(seed=SEED)
    pictures = [scene.render(None, Pose()) for _ in range(number)]
    frames = as_jpeg(pictures)
    cascade = Cascade()
    idle = _cpu_s(_gated(pictures[0]), frames)
    whole_gate = settled_gate(pictures[0])
    whole = _cpu_s(lambda frame: _look_at_whole(frame, whole_gate, cascade), frames)
    ungated = _cpu_s(every_frame(read_with_zxing), frames)
    pyzbar = _cpu_s(every_frame(read_with_pyzbar), frames)
    thumbnails = _cpu_s(lambda frame: frame.small(), frames)
    coarse = as_jpeg(pictures, CSI_QUALITY)
    ratio = _cpu_s(_gated(pictures[0]), coarse) / _cpu_s(every_frame(read_with_pyzbar), coarse)
    kilobytes = sum(frame.picture.size for frame in frames) / 1000 / number
    return [
        measured("processor time a frame, nobody there, JPEG to grey included, pyzbar", 1000 * pyzbar / number, "ms"),
        measured("the same, ours as a camera runs it, against pyzbar", idle / pyzbar, "x", bar=0.08),
        measured("the same, hoped for with a thumbnail straight from the JPEG", idle / pyzbar, "x", bar=0.03),
        measured(f"of it, unpacking an eighth of a JPEG of {kilobytes:.0f} kB", thumbnails / pyzbar, "x"),
        measured(f"the same, ours at a CSI camera's JPEG quality of {CSI_QUALITY}", ratio, "x"),
        measured("the same, ours on recordings, gate on whole frames, against pyzbar", whole / pyzbar, "x"),
        measured("the same, no gate, zxing-cpp always, against pyzbar", ungated / pyzbar, "x", bar=0.08, control=True),
    ]


def _count_accepted(number: int) -> int:
    """How many of `number` frames of noise, foreign codes and near misses are taken for a token of ours."""
    random = np.random.default_rng(SEED)
    accepted = 0
    for at in range(number):
        frame = np.asarray(random.integers(0, 256, (120, 160)), dtype=np.uint8)
        if at % 2:
            # The right length and alphabet, but no check: as a misread or a forger would have it.
            text = "T" + draw_payload(random)[1:]
            frame = code_picture(text if at % 4 == 1 else f"https://example.org/{text}", module_px=3)
            left, top = random.integers(0, 40, 2)
            frame[top : top + 30, left : left + 30] = random.integers(0, 256)
        accepted += any(looks_like_card(code.payload) for code in Cascade(accept=looks_like_card).read(frame))
    return accepted


def _gated(empty: Grey, budget_s: float = BUDGET_S) -> Read:
    """Reading as a camera does that has seen the empty doorway for a while."""
    gate, cascade = settled_gate(empty), Cascade(budget_s=budget_s)
    return lambda frame: look_at(frame, gate, cascade)


def _look_at_whole(frame: Frame, gate: IdleGate, cascade: Cascade) -> None:
    grey = frame.grey()
    if grey is not None and gate.look(grey).attention is Attention.GLANCE:
        cascade.glance(grey)


def _delay(sequence: HandSequence) -> int:
    """Frames by which the gate wakes after the card's edge came into view."""
    gate = settled_gate(sequence.frames[0])
    woke = (at for at, grey in enumerate(sequence.frames) if gate.look(grey).attention is Attention.AWAKE)
    return max(0, next(woke, len(sequence.frames)) - sequence.shown_at)


def _first_readable(frames: Sequence[Frame], shown_at: int) -> int | None:
    """Number of the first frame that any step of the cascade reads."""
    for at in range(shown_at, len(frames)):
        grey = frames[at].grey()
        if grey is not None and (read_with_zxing(grey) or any(step.read(grey) for rung in RUNGS for step in rung)):
            return at
    return None


def _cpu_s(read: Callable[[Frame], object], frames: Iterable[Frame]) -> float:
    started_s = time.process_time()
    for frame in frames:
        read(frame)
    return time.process_time() - started_s
