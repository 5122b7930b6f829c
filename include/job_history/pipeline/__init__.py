"""The steps of a run: plan, extract, transform, load, report."""
