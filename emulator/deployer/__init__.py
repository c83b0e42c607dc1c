"""Deploys an unmodified Pulumi program to the emulator.

`program.py` does that in this process, without Pulumi's engine. `provider.py` serves a plugin that
the engine uses instead of the real AWS provider.
"""
