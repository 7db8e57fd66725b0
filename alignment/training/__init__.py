"""Training: recipes carried out by TRL, from training data to models in the store."""
