"""What the numbers say: pure functions on records, standard library only.

Import the module that has the idea: `rates`, `scores`, `degenerate`, `rollup`, `judging`.
"""
