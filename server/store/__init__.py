"""The store: tables, migrations, and one open database. No SQL dialect tricks outside `engine`."""
