"""The server's interfaces for programs: kiosks now."""
