"""A small betting company on a match day: what the demo shows and the tests look for.

Five services on Kafka: feed-gateway takes a third party's match feed, bet-placement takes
bets, settlement decides them, wallet pays, notifications tells the player. ``history`` is the
match of the last hours as it was recorded, with everything in it that went wrong
(``story`` names it); ``live`` runs the five services over a broker inside this process.
Both send through the front door: OTLP and CloudEvents over HTTP. Nothing is kept on disk.

    python -m examples.matchday --endpoint http://127.0.0.1:4318
"""
