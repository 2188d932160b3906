"""What is written down of a model: its card, its evaluation records, and names of files on the Hub."""
