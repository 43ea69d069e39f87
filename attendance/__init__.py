"""What kiosk and server agree on to the byte; no I/O."""
