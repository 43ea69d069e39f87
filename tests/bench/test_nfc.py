import pytest

from bench import nfc
from hardware.nfc_nfcpy import NfcReader


def test_every_kind_of_tag_is_read_and_timed_as_often_as_asked() -> None:
    took_ms = nfc.measure(NfcReader, 1)
    assert list(took_ms) == list(nfc.KINDS)
    assert all(len(ms) == 1 and ms[0] > 0 for ms in took_ms.values())


def test_a_tag_that_is_never_read_is_told_rather_than_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(NfcReader):
        def _sense(self, frontend: object) -> None:
            return None

    monkeypatch.setattr(nfc, "PATIENCE_S", 0.2)
    with pytest.raises(RuntimeError, match="not read"):
        nfc.measure(Deaf, 1)


def test_the_rows_are_one_bar_its_parts_and_a_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfc, "measure", lambda make, taps: {"kind": [100.0 if make is NfcReader else 500.0] * taps})
    rows = nfc.rows(5)
    assert [(row.value, row.holds, row.control) for row in rows if row.bar is not None] == [
        (100.0, True, False),
        (500.0, False, True),
    ]
