"""Talking over WebRTC: packets to sound and back, the data channel, and each peer connection with its call."""
