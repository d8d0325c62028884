"""MemoryBank: exchanges that fade unless they are recalled."""
