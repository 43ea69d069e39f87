"""The kiosk at the door: readers, rule, journal, child's screen, sync."""
