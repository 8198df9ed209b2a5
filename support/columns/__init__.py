"""Very many texts and numbers in little memory."""
