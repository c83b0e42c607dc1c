"""Step Functions without HTTP and IAM: a language, its interpreter, and the API.

`language.py` lists what a definition may contain, `documents.py` reads paths and templates,
`interpreter.py` runs the states of an execution (`execution.py`), and `service.py` is the API.
Executions run on a host with a clock: `emulator/virtual` has virtual time, and
`emulator/server/stepfunctions.py` real time.
"""
