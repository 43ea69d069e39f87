"""The roster: from an office's file, through a check of every cell, to one transaction; and the cards it issues."""
