""".tflite files as conversion reads, writes and changes them."""
