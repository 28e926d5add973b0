"""Measuring: metrics, benchmarks, rival methods behind one interface, reports."""
