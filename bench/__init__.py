"""Benchmark circuit-analysis methods; the public surface is `bench.api`."""
