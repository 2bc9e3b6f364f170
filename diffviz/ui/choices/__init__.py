"""What a reader can choose: the controls that ask for the configs of a scene."""
