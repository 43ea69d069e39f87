"""Notices to guardians: the outbox, the words, the channels, and the dispatcher that brings them together."""
