"""The XNNPACK quantizer where PyTorch's test helpers have it."""
