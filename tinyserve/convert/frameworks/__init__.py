"""One front end per framework: from a trained model to a float32 .tflite."""
