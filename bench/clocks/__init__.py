"""Clocks that lie: true time is simulated, troubles are played through the real door, sync and server."""
