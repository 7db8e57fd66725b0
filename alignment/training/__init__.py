"""Training: recipes carried out with TRL, from training data to models in the store."""
