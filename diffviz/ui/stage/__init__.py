"""A scene on its page: the player with its place kept, its preview, its menu of exports."""
