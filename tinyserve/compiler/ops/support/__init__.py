"""What operators share: checks, attributes, quantization parameters, kernel calls."""
