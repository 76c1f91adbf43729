"""The channels people write through; each hands its messages to the gate."""
