"""What the gateways themselves do on the wire, for a caller simulator and for tests.

Nothing here builds on the codecs of the server's side, so that a mistake of one side is none of the other. Shared are
only the sound and the reading of JSON.
"""
