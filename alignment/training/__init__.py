"""Training: recipes carried out by TRL, from lessons to models in the store."""
