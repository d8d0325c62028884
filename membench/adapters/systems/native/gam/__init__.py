"""GAM: cheap writing, and research when a question comes."""
