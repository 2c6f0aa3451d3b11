"""What a login shows beside a face: a key of the device, a one-time code; and in which order."""
