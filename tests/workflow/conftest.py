"""Proves the shape of the state machine, and that it runs: happy, slow, each failure, each status.

With pure calls, and with moto's interpreter, the real functions and an emulated Personalize on
virtual time. Does not prove IAM or real timings.
"""
