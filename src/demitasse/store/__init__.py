"""What is kept, on SQLite: the ledger, its readers, its settings, and the encrypted bodies."""
