"""LongMemEval: 500 questions, each over its own dated user-assistant history."""
