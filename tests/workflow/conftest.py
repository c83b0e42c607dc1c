"""These tests prove the shape of the state machine, and that it runs.

They cover good and slow runs, each failure and each status. They use pure calls, and whole
executions with the real functions and an emulated Personalize on virtual time. In random stories
(`test_sequences.py`), late lists, lost answers, deaths and people come together, and no promise
breaks. They prove nothing about IAM or about the timing of AWS.
"""
