"""Deploys an unmodified Pulumi program to the emulator.

`program.py` runs the program in this process, without Pulumi's engine. `provider.py` is a plugin
that the engine uses instead of the real AWS provider.
"""
