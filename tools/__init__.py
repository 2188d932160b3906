"""For those who maintain tipr-zoo; none of it is installed."""
