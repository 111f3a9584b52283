"""Benchmarks that anyone can run: `repofill bench …`. Called by the CLI only."""
