"""The rules of a run as pure functions: what one look at the services leads to.

They are tried here first. `functions/` follows the rules of the modules beside this folder until
its steps call these.
"""
