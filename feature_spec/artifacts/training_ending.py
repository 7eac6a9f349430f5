"""How a training ended, which the trainer writes beside its curves and the report reads."""

from __future__ import annotations

from typing import Literal

import pydantic

ENDING_FILE = "training_ending.json"


class TrainingEnding(pydantic.BaseModel):
    """How a training ended.

    Attributes:
        epochs: the number of epochs that were trained.
        best_epoch: the epoch whose weights the model has, from 1.
        stopped_by: `patience`: so many epochs in a row were no better; `epochs`: there were no more
            to train.
        patience: `trainer.patience`.
        silent: the tasks that had no say on when to stop, each with the reason.
    """

    epochs: int
    best_epoch: int
    stopped_by: Literal["patience", "epochs"]
    patience: int
    silent: dict[str, str] = {}

    @property
    def advice(self) -> str:
        """What might be gained by training on, in words; "" if nothing points there."""
        if self.stopped_by == "epochs" and self.best_epoch == self.epochs:
            return (
                f"The training ended at trainer.epochs ({self.epochs}) with its best epoch: more "
                "epochs may help"
            )
        if self.stopped_by == "patience" and self.best_epoch == 1 and self.epochs > 1:
            return (
                f"No epoch after the first was better, and trainer.patience ({self.patience}) "
                "ended the training: more epochs change nothing; a lower learning rate or a "
                "smaller model may help"
            )
        return ""
