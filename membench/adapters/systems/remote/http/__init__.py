"""Any system behind a small HTTP interface."""
