"""WebRTC's way through networks: what a peer connection gathers, advertises and demultiplexes."""
