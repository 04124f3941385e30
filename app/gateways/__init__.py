"""What is done with a phone gateway beside the sound of a call: its REST interface, its webhooks, whom to trust."""
