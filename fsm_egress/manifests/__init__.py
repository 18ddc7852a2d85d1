"""Documents of Kubernetes to resources and back: wire names, readers, files, schemas."""
