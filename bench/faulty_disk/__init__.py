"""A disk of our own (FUSE): it records what it is asked, fails as it is told, and knows what a power cut leaves."""
