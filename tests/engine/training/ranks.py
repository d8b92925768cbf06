"""`python -m engine` as it is; each process also leaves the weights that it ended with, as OUT.rankN."""

import os
import sys

import torch

from engine.cli import main
from engine.training.trainer import Trainer

train = Trainer.train


def train_and_leave_weights(self):
    yield from train(self)
    torch.save(self.model.state_dict(), f"{self.out}.rank{os.environ['RANK']}")


if __name__ == "__main__":
    Trainer.train = train_and_leave_weights
    sys.exit(main())
