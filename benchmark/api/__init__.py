"""The Python API: run() and what it returns."""
