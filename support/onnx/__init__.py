"""ONNX: export from torch, and sessions of ONNX Runtime."""
