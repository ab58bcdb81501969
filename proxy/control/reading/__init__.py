"""FILES -> DOCUMENTS: YAML as people write it, checked by itself and against what it names."""
