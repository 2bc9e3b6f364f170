"""What only the page Schedules has."""
