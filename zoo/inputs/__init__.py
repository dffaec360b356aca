"""What comes in: each kind of raw input, from what a user has to tensors."""
