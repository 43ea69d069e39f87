"""Benchmarks: measured figures, never timed tests."""
