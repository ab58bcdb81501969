"""The HTTP door of the control plane: one file a part of the API."""
