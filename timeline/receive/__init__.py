"""The receiver: OTLP/HTTP and CloudEvents in, durable acknowledgements out.

In: requests, as the server hands them over. Out: an answer in the sender's own protocol,
given only after the inbox has the bytes on disk; refusals with their reason. Not here:
decoding into facts, the store, the broker. Neither of these need be up.
"""
