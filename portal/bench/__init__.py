"""Benchmarks, one module each, run by `manage.py bench NAME`.

A module has `add_arguments(parser)` and `run(options)`, which yields lines to print. It measures in a database of
its own and leaves nothing behind.
"""
