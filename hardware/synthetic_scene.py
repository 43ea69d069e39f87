"""Synthetic: what a camera at the door would see of a card in a hand; drawn with fixed seeds, no camera involved."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware.qr_decode import Grey
from hardware.synthetic_card import CARD_MM, CODE_LEFT_MM, CODE_MM, CODE_TOP_MM, PX_PER_MM, Card

THUMB_TONE = 165
NOISE_MARGIN_PX = 97


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How a card is held and seen. Angles in degrees."""

    x: float = 0.5
    """Where the middle of the code is, as a share of the frame's width; outside 0..1: out of view."""
    y: float = 0.5
    size: float = 0.32
    """Side of the code, as a share of the frame's height."""
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    motion_px: float = 0.0
    """Length of the smear of a moving hand."""
    motion_angle: float = 0.0
    defocus_px: float = 0.6
    """Sigma of the lens's blur."""
    light: float = 1.0
    noise: float = 3.0
    """Standard deviation in grey levels."""
    glare: float = 0.0
    """Radius of a lamp's reflection, as a share of the code's side."""
    glare_at: tuple[float, float] = (0.5, 0.5)
    """Where on the code, as shares of its side."""
    thumb: float = 0.0
    """How far a thumb reaches into the code, as a share of its side."""
    thumb_at: float = 135.0
    """From which side: 0 right, 90 bottom, 180 left, 270 top."""
    moire: float = 0.0
    """Strength of stripes, as of a screen filmed by a camera, in grey levels."""


class Scene:
    """A doorway seen by one camera; the same seed gives the same frames."""

    def __init__(self, *, width: int = 640, height: int = 480, seed: int = 1) -> None:
        self.width = width
        self.height = height
        self._rng = np.random.default_rng(seed)
        self._background = self._draw_background()
        self._noise = self._rng.standard_normal((height + NOISE_MARGIN_PX, width + NOISE_MARGIN_PX), dtype=np.float32)
        self._frames = 0

    def render(self, card: Card | None, pose: Pose) -> Grey:
        """The next frame; None: nobody is there."""
        import cv2

        picture = self._background.copy()
        if card is not None:
            picture = self._place(picture, card, pose)
        if pose.motion_px > 1:
            smeared = cv2.filter2D(picture, -1, _smear(pose.motion_px, pose.motion_angle))
            picture = np.asarray(smeared, dtype=np.uint8)
        if pose.defocus_px > 0.3:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), pose.defocus_px), dtype=np.uint8)
        return self._expose(picture, pose)

    def _expose(self, picture: Grey, pose: Pose) -> Grey:
        import cv2

        # A window into one field of noise wanders, so that neighbouring frames do not share theirs.
        down, across = self._frames * 37 % NOISE_MARGIN_PX, self._frames * 61 % NOISE_MARGIN_PX
        noise = self._noise[down : down + self.height, across : across + self.width]
        self._frames += 1
        lit = picture.astype(np.float32)
        return np.asarray(cv2.addWeighted(lit, pose.light, noise, pose.noise, 0.0, dtype=cv2.CV_8U), dtype=np.uint8)

    def _place(self, picture: Grey, card: Card, pose: Pose) -> Grey:
        import cv2

        to_frame = self._projection(pose)
        code_px = pose.size * self.height
        level = int(max(0.0, math.log2(max(1.0, CODE_MM * PX_PER_MM / (1.6 * code_px)))))
        level = min(level, len(card.sizes) - 1)
        drawing = card.sizes[level].copy()
        px_per_mm = drawing.shape[1] / CARD_MM[0]
        _spoil(drawing, pose, px_per_mm)
        _draw_grip(drawing, px_per_mm)
        matrix = to_frame @ np.diag([1 / px_per_mm, 1 / px_per_mm, 1.0])
        self._draw_arm(picture, to_frame, code_px)
        return np.asarray(
            cv2.warpPerspective(
                drawing,
                matrix,
                (self.width, self.height),
                dst=picture,
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_TRANSPARENT,
            ),
            dtype=np.uint8,
        )

    def _draw_arm(self, picture: Grey, to_frame: NDArray[np.float64], code_px: float) -> None:
        import cv2

        grip = to_frame @ np.array([CARD_MM[0] - 8, CARD_MM[1] - 6, 1.0])
        wrist = (round(grip[0] / grip[2]), round(grip[1] / grip[2]))
        elbow = (wrist[0] + self.width // 5, wrist[1] + self.height)
        cv2.line(picture, wrist, elbow, THUMB_TONE - 15, max(4, round(0.5 * code_px)), cv2.LINE_AA)

    def _projection(self, pose: Pose) -> NDArray[np.float64]:
        """From millimetres of the card to pixels of the frame: a pinhole camera as long as the frame is wide."""
        focal_px = float(self.width)
        distance_mm = CODE_MM * focal_px / (pose.size * self.height)
        yaw, pitch, roll = (math.radians(angle) for angle in (pose.yaw, pose.pitch, pose.roll))
        turn = _about_z(roll) @ _about_x(pitch) @ _about_y(yaw)
        middle = (CODE_LEFT_MM + CODE_MM / 2, CODE_TOP_MM + CODE_MM / 2)
        at = (
            (pose.x - 0.5) * self.width * distance_mm / focal_px,
            (pose.y - 0.5) * self.height * distance_mm / focal_px,
        )
        card_to_camera = np.column_stack(
            [
                turn[:, 0],
                turn[:, 1],
                np.array([at[0], at[1], distance_mm]) - turn[:, 0] * middle[0] - turn[:, 1] * middle[1],
            ]
        )
        camera = np.array([[focal_px, 0, self.width / 2], [0, focal_px, self.height / 2], [0, 0, 1.0]])
        return np.asarray(camera @ card_to_camera, dtype=np.float64)

    def _draw_background(self) -> Grey:
        import cv2

        # A wall, darker towards one side, with furniture, a shelf of books and a notice: as cluttered as a cloakroom.
        shade = np.linspace(110, 170, self.width, dtype=np.float32)[None, :].repeat(self.height, axis=0)
        picture = np.asarray(shade, dtype=np.uint8)
        for _ in range(9):
            left, top = self._somewhere()
            right, bottom = left + int(self._rng.integers(30, 160)), top + int(self._rng.integers(30, 200))
            cv2.rectangle(picture, (left, top), (right, bottom), int(self._rng.integers(60, 200)), -1)
        for _ in range(2):
            self._draw_books(picture)
            self._draw_notice(picture)
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.8), dtype=np.uint8)

    def _draw_books(self, picture: Grey) -> None:
        left, top = self._somewhere()
        for _ in range(16):
            thick = int(self._rng.integers(5, 14))
            high = int(self._rng.integers(50, 80))
            picture[top + 80 - high : top + 80, left : left + thick] = int(self._rng.integers(50, 210))
            left += thick

    def _draw_notice(self, picture: Grey) -> None:
        left, top = self._somewhere()
        picture[top : top + 130, left : left + 100] = 225
        for line in range(top + 12, min(top + 118, self.height - 4), 9):
            letter = left + 8
            while letter < left + 88:
                wide = int(self._rng.integers(2, 7))
                picture[line : line + 5, letter : letter + wide] = 60
                letter += wide + int(self._rng.integers(2, 5))

    def _somewhere(self) -> tuple[int, int]:
        return int(self._rng.integers(0, self.width)), int(self._rng.integers(0, self.height))


def _spoil(drawing: Grey, pose: Pose, px_per_mm: float) -> None:
    """Put glare, thumb and stripes on the card itself, so that they move with it."""
    import cv2

    side = CODE_MM * px_per_mm
    left, top = CODE_LEFT_MM * px_per_mm, CODE_TOP_MM * px_per_mm
    if pose.moire > 0:
        rows, columns = np.mgrid[0 : drawing.shape[0], 0 : drawing.shape[1]]
        stripes = np.sin(rows * 2.1 / px_per_mm * 3) * np.sin(columns * 1.7 / px_per_mm * 3) * pose.moire
        drawing[:] = np.clip(drawing + stripes, 0, 255).astype(np.uint8)
    if pose.glare > 0:
        at = (round(left + pose.glare_at[0] * side), round(top + pose.glare_at[1] * side))
        light = np.zeros(drawing.shape, dtype=np.uint8)
        cv2.circle(light, at, max(1, round(pose.glare * side)), 255, -1)
        cv2.GaussianBlur(light, (0, 0), max(0.5, 0.08 * side), dst=light)
        cv2.add(drawing, light, dst=drawing)
    if pose.thumb > 0:
        angle = math.radians(pose.thumb_at)
        # An ellipse whose tip reaches `thumb` into the code from its edge.
        reach = 0.5 - pose.thumb + 0.45
        middle = (left + side * (0.5 + reach * math.cos(angle)), top + side * (0.5 + reach * math.sin(angle)))
        axes = (round(0.45 * side), round(0.22 * side))
        cv2.ellipse(drawing, (round(middle[0]), round(middle[1])), axes, pose.thumb_at, 0, 360, THUMB_TONE, -1)


def _draw_grip(drawing: Grey, px_per_mm: float) -> None:
    """The thumb of the hand that holds the card, where the card asks for it."""
    import cv2

    at = (round((CARD_MM[0] - 6) * px_per_mm), round((CARD_MM[1] - 5) * px_per_mm))
    axes = (max(1, round(13 * px_per_mm)), max(1, round(7 * px_per_mm)))
    cv2.ellipse(drawing, at, axes, 30, 0, 360, THUMB_TONE, -1, cv2.LINE_AA)


def _smear(length_px: float, angle: float) -> NDArray[np.float32]:
    import cv2

    side = int(length_px) | 1
    middle = side / 2 - 0.5
    kernel = np.zeros((side, side), dtype=np.float32)
    across, down = math.cos(math.radians(angle)) * middle, math.sin(math.radians(angle)) * middle
    ends = (round(middle - across), round(middle - down)), (round(middle + across), round(middle + down))
    cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_AA)
    return np.asarray(kernel / max(float(kernel.sum()), 1e-6), dtype=np.float32)


def _about_x(angle: float) -> NDArray[np.float64]:
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])


def _about_y(angle: float) -> NDArray[np.float64]:
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])


def _about_z(angle: float) -> NDArray[np.float64]:
    sine, cosine = math.sin(angle), math.cos(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
