"""What a test says of a network: scores of predictions, and the evaluation that holds them."""
