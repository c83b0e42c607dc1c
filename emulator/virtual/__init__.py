"""Virtual time for tests: state machines and their functions in one process, on a clock that jumps.

`virtual_time.VirtualClock` is the clock, `step_functions.StepFunctions` runs executions on it, and
`lambda_runtime.invoke` calls a Python handler as Lambda would.
"""
