"""The readers' view: what each reader sees now, for whoever aims a camera or tries a card; nothing is recorded."""
