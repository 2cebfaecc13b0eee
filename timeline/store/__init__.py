"""Where facts are kept and asked: ``port`` is the contract, each folder beside it an adapter."""
