"""Real kiosk sides and the real server, with everything that can happen between them, driven by Hypothesis."""
