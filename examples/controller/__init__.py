"""A controller that follows a cluster's resources and publishes each identity's config to a Pipy repo."""
