"""These tests prove that the rules of the pipeline keep their promises in a small model.

The model has late lists, lost responses, runs that die or wait for each other, stacks that are
recreated, and people who interfere, in random sequences of runs. The rules are those of
`functions/rules`. What is around them is written for the model, so the tests do not prove that a
function reads and sends what the rules mean.
"""
