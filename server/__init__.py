"""The central server: ledger, headcount, reports, notices, web."""
