"""HGMem: points that join entities, worked out while a question is answered."""
