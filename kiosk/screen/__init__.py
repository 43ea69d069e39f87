"""The child's screen: answers as colour, shape and words on a page of this machine (step 7 of the straight line)."""

from kiosk.screen.screen import Presses, Screen
from kiosk.screen.serving import ScreenServer

__all__ = ["Presses", "Screen", "ScreenServer"]
