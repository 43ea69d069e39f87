"""One module a schema, never edited once released."""
