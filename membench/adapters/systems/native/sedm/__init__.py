"""SEDM: only what makes an answer better is admitted to memory."""
