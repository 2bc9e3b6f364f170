"""From a choice to what is shown: frozen configs, the run they ask for, and its buffer.

A scene is a function of a small frozen value, the same bytes for the same value, and knows no page,
no session and no browser: pages show it, and whatever else has a player can.
"""
