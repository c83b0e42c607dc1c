"""Step Functions without HTTP and IAM: a language, its interpreter, and the API.

`language.py` lists what a definition may contain, `documents.py` reads paths and templates,
`interpreter.py` runs executions on a host with a clock, and `service.py` is the API. The hosts are
`emulator/virtual` with virtual time and `emulator/server/stepfunctions.py` with real time.
"""
