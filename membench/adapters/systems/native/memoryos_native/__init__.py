"""MemoryOS: recent pages, topic segments ranked by heat, profiles fed by the hottest."""
