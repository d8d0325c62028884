"""ArcMemo."""
