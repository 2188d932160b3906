"""For those who make models and plugins: new plugins, cards written and checked, models published."""
