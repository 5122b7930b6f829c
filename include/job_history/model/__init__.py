"""Plain values that every other package uses: ids, records, windows, slices, times."""
