"""LongMemEval-V2, text track: what an agent learnt from other agents' work on websites."""
