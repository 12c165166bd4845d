"""What the API shows: each read names the seller, walks an index, and opens nothing that is sealed."""
