"""Loops over pixels, compiled from Cython: what takes NumPy many small steps takes one step here.

Each module `NAME.pyx` has its types for mypy in `NAME.pyi`. Installing the zoo compiles them (`hatch_build.py`).
"""
