"""Reading cards: what our cascade reads beside each engine alone, how soon and at what cost, all in one run.

The bars are those of a railway gate on cheap hardware; every ratio is taken against pyzbar on every frame, the way such
a reader is commonly built.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from attendance.cards import looks_like_card
from bench import nfc
from bench.figure import Row, measured
from bench.photographs import load_photographs
from hardware.frame_source import Frame
from hardware.qr_camera import look_at
from hardware.qr_cascade import RUNGS, Cascade, read_photograph
from hardware.qr_decode import Code, Engine, Grey, read_with_pyzbar, read_with_zxing
from hardware.qr_gate import Attention, IdleGate
from hardware.synthetic_card import code_picture
from hardware.synthetic_frames import HandSequence, draw_hard_frames, draw_payload, draw_sequence
from hardware.synthetic_scene import Pose, Scene

FPS = 15
SEED = 20_000
"""Apart from every seed with which the cascade was tuned."""
SETTLE_FRAMES = 40
"""Empty frames before a showing, so that the gate sleeps as it does between children."""


def run(*, quick: bool) -> list[Row]:
    """Measure; with `quick` fewer frames and sequences of the same kinds."""
    wrong = Counter[str]()
    rows = _photographs()
    rows += _hard_frames(6 if quick else 70, wrong)
    rows += _sequences(20 if quick else 120, wrong)
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


@dataclass(slots=True)
class _Runner:
    """One way of reading, over all sequences."""

    read: Callable[[Frame], list[Code]]
    cpu_s: float = 0.0
    frames: int = 0
    within: Counter[int] = field(default_factory=Counter)
    late_frames: list[int] = field(default_factory=list)

    def play(self, sequence: HandSequence, frames: Sequence[Frame], readable_at: int | None) -> None:
        """Play one showing in real time as modelled: frames that come while the last is being read are dropped.

        Modelled by processor time, so that other work on the machine does not count.
        """
        shown_at_s = sequence.shown_at / FPS
        free_at_s, read_at = 0.0, None
        for number, frame in enumerate(frames):
            if number / FPS < free_at_s:
                continue
            started_s = time.process_time()
            codes = self.read(frame)
            spent_s = time.process_time() - started_s
            free_at_s = number / FPS + spent_s
            if number >= sequence.shown_at:
                self.cpu_s += spent_s
                self.frames += 1
            if read_at is None and any(code.payload == sequence.payload.encode() for code in codes):
                read_at = number
                for limit_s in (1, 2):
                    self.within[limit_s] += free_at_s - shown_at_s <= limit_s
        if readable_at is not None:
            self.late_frames.append(len(frames) if read_at is None else max(0, read_at - readable_at))


def _sequences(number: int, wrong: Counter[str]) -> list[Row]:
    ours, pyzbar = _Runner(lambda _: []), _Runner(_every_frame(read_with_pyzbar))
    delays = []
    for seed in range(SEED, SEED + number):
        sequence = draw_sequence(fps=FPS, seed=seed)
        frames = _as_jpeg(sequence.frames)
        readable_at = _first_readable(frames, sequence.shown_at)
        delays.append(_delay(sequence))
        ours.read = _gated(sequence, wrong)
        ours.play(sequence, frames, readable_at)
        pyzbar.play(sequence, frames, readable_at)
    cost_ours, cost_pyzbar = ours.cpu_s / ours.frames, pyzbar.cpu_s / pyzbar.frames
    rows = []
    for limit_s, bar in ((1, 85), (2, 89)):
        name = f"{number} hurried hands, read within {limit_s} s"
        rows += [
            measured(name, 100 * ours.within[limit_s] / number, "%", bar=bar, better="higher"),
            measured(
                f"{name}, pyzbar", 100 * pyzbar.within[limit_s] / number, "%", bar=bar, better="higher", control=True
            ),
        ]
    return [
        *rows,
        measured("frames from first readable to read, p95", float(np.percentile(ours.late_frames, 95)), "", bar=2),
        measured("frames by which the gate wakes late, worst", max(delays), "", bar=0),
        measured("processor time a frame, card in view", 1000 * cost_ours, "ms"),
        measured("processor time a frame, card in view, pyzbar", 1000 * cost_pyzbar, "ms"),
        measured("processor time, card in view, against pyzbar", cost_ours / cost_pyzbar, "x", bar=0.6),
    ]


def _idle(number: int) -> list[Row]:
    scene = Scene(seed=SEED)
    pictures = [scene.render(None, Pose()) for _ in range(number)]
    frames = _as_jpeg(pictures)
    gate, cascade = _settled(pictures[0]), Cascade()
    idle = _cpu_s(lambda frame: look_at(frame, gate, cascade), frames)
    whole_gate = _settled(pictures[0])
    whole = _cpu_s(lambda frame: _look_at_whole(frame, whole_gate, cascade), frames)
    ungated = _cpu_s(_every_frame(read_with_zxing), frames)
    pyzbar = _cpu_s(_every_frame(read_with_pyzbar), frames)
    return [
        measured("processor time a frame, nobody there, JPEG to grey included, pyzbar", 1000 * pyzbar / number, "ms"),
        measured("the same, ours as a camera runs it, against pyzbar", idle / pyzbar, "x", bar=0.08),
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


def _every_frame(engine: Engine) -> Callable[[Frame], list[Code]]:
    def read(frame: Frame) -> list[Code]:
        grey = frame.grey()
        return [] if grey is None else engine(grey)

    return read


def _gated(sequence: HandSequence, wrong: Counter[str]) -> Callable[[Frame], list[Code]]:
    gate, cascade = _settled(sequence.frames[0]), Cascade()

    def read(frame: Frame) -> list[Code]:
        codes = look_at(frame, gate, cascade) or []
        wrong["frames"] += any(code.payload != sequence.payload.encode() for code in codes)
        return codes

    return read


def _look_at_whole(frame: Frame, gate: IdleGate, cascade: Cascade) -> None:
    grey = frame.grey()
    if grey is not None and gate.look(grey).attention is Attention.GLANCE:
        cascade.glance(grey)


def _settled(empty: Grey) -> IdleGate:
    """A gate that has seen the empty doorway for so long that it sleeps."""
    gate = IdleGate()
    for _ in range(SETTLE_FRAMES):
        gate.look(empty)
    return gate


def _delay(sequence: HandSequence) -> int:
    """Frames by which the gate wakes after the card's edge came into view."""
    gate = _settled(sequence.frames[0])
    woke = (at for at, grey in enumerate(sequence.frames) if gate.look(grey).attention is Attention.AWAKE)
    return max(0, next(woke, len(sequence.frames)) - sequence.shown_at)


def _first_readable(frames: Sequence[Frame], shown_at: int) -> int | None:
    """Number of the first frame that any step of the cascade reads."""
    for at in range(shown_at, len(frames)):
        grey = frames[at].grey()
        if grey is not None and (read_with_zxing(grey) or any(step.read(grey) for rung in RUNGS for step in rung)):
            return at
    return None


def _as_jpeg(frames: Iterable[Grey]) -> list[Frame]:
    return list(_encode(frames))


def _encode(frames: Iterable[Grey]) -> Iterator[Frame]:
    for number, grey in enumerate(frames):
        jpeg = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
        yield Frame(jpeg.reshape(1, -1), round(number * 1e9 / FPS))


def _cpu_s(read: Callable[[Frame], object], frames: Iterable[Frame]) -> float:
    started_s = time.process_time()
    for frame in frames:
        read(frame)
    return time.process_time() - started_s
