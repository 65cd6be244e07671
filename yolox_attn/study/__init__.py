"""A study: baseline and variants over seeds, planned, run, and judged by its plan."""
