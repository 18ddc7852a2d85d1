"""All connections divided into the classes that no reading of a policy tells apart."""
