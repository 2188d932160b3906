"""The commands of ``tipr-zoo``, one module each; `tipr_zoo.command_line` says what such a module holds."""
