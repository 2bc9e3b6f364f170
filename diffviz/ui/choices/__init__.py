"""What a reader can choose: frozen configs, and the controls that ask for them."""
