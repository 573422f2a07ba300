"""The page that a reader explores: one file of HTML that needs nothing else."""

EXPLORE = "explore.html"
