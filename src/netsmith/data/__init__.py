"""Where examples come from: official readers with synthetic twins, one's own files, and batched augmentation."""
