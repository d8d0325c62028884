"""A-MEM: notes that may rewrite their neighbours."""
