"""REQUEST -> SPAN: the sidecar, its Rust engine, and the control plane that tells it what to do."""
