"""What `fulcrum rank` reads and prints: request files, reports and explanations."""
