"""BudgetMem: memory made at the question, in tiers of price."""
