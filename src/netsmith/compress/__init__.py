"""An existing network into a smaller one: pruning, quantization, factorization; surgery with proof."""
