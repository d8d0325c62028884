"""PersistBench: what remembered facts do to an answer, for better and for worse."""
