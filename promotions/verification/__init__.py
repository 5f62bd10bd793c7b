"""Whether everything stored is what was signed: packets, envelopes, records, inputs, votes, releases, documents
(proof.md, Log; domain.md §8)."""
