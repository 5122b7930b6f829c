"""Benchmarks: `python -m tests.benchmarks [--quick] [--write] [name ...]`; docs/performance.md describes what they
measure.
"""
