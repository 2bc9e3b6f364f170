"""What people bring and take away: files of other projects, tables, archives, exports."""
