"""DAYS -> WHAT IS LEFT OF THEM: what is dropped by age and size, and what of old days matters."""
