"""The board: store, submission, validation, pages."""
