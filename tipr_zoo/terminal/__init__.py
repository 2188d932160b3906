"""The one door to the terminal: what may not be printed, how wide a text is, how a suggested command is quoted."""
