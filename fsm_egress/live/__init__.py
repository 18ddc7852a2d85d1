"""A mesh as the API server of a cluster has it: what is listed, what is kept, and what could not be read."""
