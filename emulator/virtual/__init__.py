"""Virtual time for tests: state machines and their functions in one process, on a clock that jumps.

`virtual_time.VirtualClock` is the clock. `moto_time.virtual_interpreter` runs moto's Step Functions
interpreter on it, and `lambda_runtime.invoke` calls a Python handler as Lambda would.
"""

import emulator.moto_imports  # noqa: F401  # must come before the first import of the interpreter
