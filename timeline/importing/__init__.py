"""Files of feeds and logs that nobody instrumented: read by a mapping, accepted once.

``mapping`` says what a row means, ``reading`` cuts a file into rows, ``work`` accepts them.
"""
