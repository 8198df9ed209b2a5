"""How networks run on a GPU."""
