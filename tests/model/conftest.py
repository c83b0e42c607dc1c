"""These tests prove that the rules of the pipeline keep their promises in a small model.

The model has late lists, lost responses, processes that die, and people who interfere, in random
sequences of runs. The rules are written once more as processes of the model, so the tests do not
prove that the functions follow them, and some rules of the model are not built yet.
"""
