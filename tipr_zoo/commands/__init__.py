"""The commands of ``tipr-zoo``, one module each. `tipr_zoo.command_line` says what such a module holds.

`tipr-zoo --help` imports all of them. A command imports only its own module. So a function imports what only its
command needs, such as torch. No command imports another. What two of them share has its own module here.
"""
