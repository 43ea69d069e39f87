"""The demo: a server, a dispatcher, a mailbox and two doors on one machine, and a day at a site in fast motion."""
