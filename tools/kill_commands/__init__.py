"""Kill every command that writes, hundreds of times, and look at what is left.

``python -m tools.kill_commands --times 300`` prints a table of commands and outcomes. A command runs in a forked
process that has imported everything already, so that a moment drawn at random falls into its work and not into its
imports.
"""
