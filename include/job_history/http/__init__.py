"""What every HTTP client of this project shares."""
