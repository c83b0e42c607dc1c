"""The emulator's server, which emulates all AWS services on a single port.

Most services come from MiniStack, another emulator of AWS, which runs in the same process. The
modules here add Personalize and Step Functions, and correct MiniStack where it differs from AWS. A
*control* is an endpoint that AWS doesn't have, for example to inject a fault.
"""
