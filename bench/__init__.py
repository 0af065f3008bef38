"""Benchmarks: they measure, print a table and write JSON into bench/results/. They never fail a build on time."""
