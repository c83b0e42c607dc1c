"""Prove the shape of the state machine, and that it runs: good, slow, each failure, each status.

With pure calls, and with moto's interpreter, the real functions and an emulated Personalize on
virtual time. These tests prove nothing about IAM or about the timing of AWS.
"""
