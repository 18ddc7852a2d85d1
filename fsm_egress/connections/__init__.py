"""What is decided about and what is said of it: connections, decisions and findings."""
