"""When something happens during training: one file per hook."""
