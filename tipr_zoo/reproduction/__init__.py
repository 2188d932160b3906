"""Several trainings of one recipe beside a card's figures."""
