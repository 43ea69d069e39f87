"""From box to door: enrolment, demo."""
