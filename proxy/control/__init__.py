"""The control plane: mesh configuration in, one snapshot a proxy out."""
