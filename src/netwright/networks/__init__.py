"""A plan of primitive steps becomes a torch module, an ONNX file or plain PyTorch source: all of the same network."""
