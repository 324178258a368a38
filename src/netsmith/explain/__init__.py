"""How we look at a trained network: attributions, prototypes, confusions, and checks of the pictures themselves."""
