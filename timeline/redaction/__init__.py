"""What is taken out of facts before they touch a disk. Pure.

``detectors`` finds secrets in text by their form, ``rules`` says what becomes of a value,
``requests`` takes what rules name out of a request as it was received, and ``asking`` lets people find by
its plain value what a rule has hashed.
"""
