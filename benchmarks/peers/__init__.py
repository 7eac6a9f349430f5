"""The systems of the speed and serving benchmarks, a script each.

Each script runs in a process of its own, and the scripts of peers run in environments of their own.
"""
