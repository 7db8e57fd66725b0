"""Files: those of others are read strictly; ours are written completely or not at all."""
