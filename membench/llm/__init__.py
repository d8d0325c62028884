"""Model calls: client, gateway and cassette. One meter for every call of a run."""
