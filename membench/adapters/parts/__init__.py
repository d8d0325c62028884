"""The primitives that native systems are composed of."""
