"""The emulator's server, which emulates all AWS services on a single port.

Most services come from MiniStack, another AWS emulator, which runs in the same process. The modules
of this package add Personalize and Step Functions, and correct MiniStack where it differs from AWS.
A *control* is an HTTP endpoint that AWS doesn't have, for example to inject a fault.
"""
