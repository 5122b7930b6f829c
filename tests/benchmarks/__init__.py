"""Benchmarks: `python -m tests.benchmarks [--quick] [--write] [name ...]`; docs/performance.md tells what they measure."""
