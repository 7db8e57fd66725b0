"""The gate over a study: manifests, comparisons, and baselines that runs are accepted as."""
