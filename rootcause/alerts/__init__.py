"""Who hears of an incident, in which words, and that they do: formats, an outbox on disk, delivery."""
