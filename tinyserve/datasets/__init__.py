"""What --representative and --dataset accept, as one array per model input."""
