"""Backup of the server: one encrypted file that holds the database and the secrets, and the way back from it."""
