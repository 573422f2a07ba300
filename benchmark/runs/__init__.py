"""From a request to stored runs: the plan, its checks and who carries it out."""
