"""The gate over a study: manifests, comparisons, and what a run may leave as its baseline."""
