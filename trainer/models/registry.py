"""Every model by name."""

from __future__ import annotations

from trainer.models.ple import PLE
from trainer.models.shared_bottom import SharedBottom
from trainer.models.sharing_architecture import SharingArchitecture
from trainer.models.single_task import SingleTask

# The settings of each, and its name for users, are in `trainer.settings.MODELS`.
ARCHITECTURES: dict[str, type[SharingArchitecture]] = {
    "single_task": SingleTask,
    "shared_bottom": SharedBottom,
    "ple": PLE,
}
