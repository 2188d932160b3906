"""The commands of ``tipr-zoo``, one module each; `tipr_zoo.command_line` says what such a module holds.

`tipr-zoo --help` imports every one of them and `tipr-zoo list` its own. What a command alone needs, such as torch, is
therefore imported in the function that needs it. No command imports another; what two of them share is a module of its
own here.
"""
