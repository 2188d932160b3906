"""This machine: devices, processes and files."""
