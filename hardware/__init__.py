"""Drivers for what a kiosk touches: card readers, lights, buzzers, sounds. Knows nothing of children or records."""
