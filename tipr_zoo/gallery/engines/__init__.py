"""What keeps the rows and vectors of a gallery, registered in `tipr_zoo.registries.ENGINES`."""
