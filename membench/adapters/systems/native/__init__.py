"""Systems of the literature, written here from the parts."""
