"""How the pictures of a data set are decoded, checked, shrunk and kept."""
