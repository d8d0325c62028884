"""HaluMem: extraction, update and question answering while the dialogue is still going on."""
