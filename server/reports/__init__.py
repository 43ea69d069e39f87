"""Reports for the office: figures folded from the records of a day, and the files that hold them."""
