"""Parameters, multiply-adds, latency and memory of any ``nn.Module`` or ONNX file."""
