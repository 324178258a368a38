"""A module into an ONNX file, with a proof that the file gives the same answers."""
