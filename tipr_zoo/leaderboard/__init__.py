"""The leaderboard: rows first, then text, Markdown, LaTeX and a page."""
