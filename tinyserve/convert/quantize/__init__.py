"""Post-training quantization, and the schemes that a conversion chooses from."""
