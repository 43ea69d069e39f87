"""The kernel's word on its own clock."""

import ctypes

from attendance import discipline
from attendance.discipline import kernel_discipline


def test_the_kernels_structure_has_the_kernels_size() -> None:
    assert ctypes.sizeof(discipline._Timex) == 208


def test_this_kernel_tells_how_its_clock_is_kept() -> None:
    said = kernel_discipline()
    assert said is not None
    assert said.max_error_ms >= 0
