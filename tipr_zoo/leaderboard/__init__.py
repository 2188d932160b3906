"""The leaderboard: its rows, and the rows as text, Markdown, LaTeX or a page."""
