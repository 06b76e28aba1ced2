"""Benchmarks: ratios inside one run, printed; never timed asserts."""
