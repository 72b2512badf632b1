"""The folder a person takes away: the network in three forms, a script that predicts, and a model card."""
