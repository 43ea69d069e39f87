"""The public QR photographs, read in place: $TADAIMA_QR_PHOTOS, or ../shared/qr-photos beside the checkout."""

import csv
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from hardware.qr_decode import Code, Grey

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "qr-photos"
ENCODINGS = ("utf-8", "cp932", "gb18030", "latin-1")
"""In which a code's bytes may stand for the text in the index."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture and the text that its code holds."""

    file: str
    group: str
    expected: str
    grey: Grey

    @property
    def must_be_empty(self) -> bool:
        """Whether the picture only looks as if it held a code."""
        return "falsepositives" in self.group

    def is_read_by(self, codes: Iterable[Code]) -> bool:
        """Whether one of the codes holds the expected text, whatever its encoding and line ends."""
        return any(_plain(self.expected) in _texts(code.payload) for code in codes)


def load_photographs() -> list[Photograph]:
    """All photographs with a stated text or none to find; empty when the folder is not on this machine."""
    folder = Path(os.environ.get("TADAIMA_QR_PHOTOS", BESIDE))
    index = folder / "index.csv"
    if not index.is_file():
        return []
    photographs = []
    with index.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            grey = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
            if grey is None:
                raise OSError(f"{folder / row['file']} is no picture")
            one = Photograph(row["file"], row["set"], row["expected"], np.asarray(grey, dtype=np.uint8))
            if one.expected or one.must_be_empty:
                photographs.append(one)
    return photographs


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split())


def _texts(payload: bytes) -> set[str]:
    texts = set()
    for encoding in ENCODINGS:
        try:
            texts.add(_plain(payload.decode(encoding)))
        except UnicodeDecodeError:
            continue
    return texts
